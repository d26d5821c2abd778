import type { Ip } from "../../net/ip.ts";
import { RouteTable } from "../../net/route.ts";
import type { RtEvent } from "../../wire/rtnetlink.ts";
import { type NextHop, type Route, RTN_THROW } from "../../wire/rtnetlink-route.ts";

export type RouteEvent = RtEvent & { kind: "route" };
type Placement = RouteEvent["placement"];

/** The routes of one table, as the kernel tells of them. */
export class RouteSet {
  /** Of each network the routes by metric, those of one metric in the order in which they are tried. */
  readonly #table = new RouteTable<readonly Route[]>();

  /** For routes that are read in order from the kernel: behind those of its metric. */
  push(route: Route): void {
    this.#put(route, inserted(this.#of(route), route, false));
  }

  /**
   * Can it not be told from an event what the kernel has made of it? So it is where IPv6 has several routes of one network
   * and metric beside each other: which of them join as next hops of one, and in which order, is not said.
   */
  isUnclear({ gone, placement, value: route }: RouteEvent): boolean {
    const like = this.#of(route).filter((each) => isLike(each, route));
    const [sole] = like;
    if (route.family !== "ipv6" || sole === undefined) return false;
    if (gone) return like.length > 1 || !sameHops(sole.nextHops, route.nextHops);
    return like.length > 1 || (placement !== "instead" && !sameRoute(sole, route));
  }

  /** Has anything changed? */
  add(route: Route, placement: Placement): boolean {
    const routes = this.#of(route);
    if (placement !== "instead" && routes.some((each) => sameRoute(each, route))) return false;
    const like = routes.filter((each) => isReplacedBy(each, route, placement));
    const replaced = route.family === "ipv4" ? like.slice(0, 1) : like;
    if (replaced.length === 1 && sameRoute(replaced[0]!, route)) return false;
    const rest = routes.filter((each) => !replaced.includes(each));
    // IPv6 has no "first": what is new goes behind what has the same metric.
    this.#put(route, inserted(rest, route, placement !== "last" && route.family === "ipv4"));
    return true;
  }

  /** Takes away a route, or the next hops it names of an IPv6 route with several. Has anything changed? */
  remove(route: Route): boolean {
    const routes = this.#of(route);
    const alike = routes.filter(
      (each) => isLike(each, route) && each.type === route.type && sameHops(each.nextHops, route.nextHops),
    );
    const exact = alike.find((each) => sameRoute(each, route)) ?? alike[0];
    if (exact !== undefined) {
      this.#put(
        route,
        routes.filter((each) => each !== exact),
      );
      return true;
    }
    const wider = routes.find(
      (each) => isLike(each, route) && route.nextHops.length > 0 && isWithin(route.nextHops, each.nextHops),
    );
    if (wider === undefined) return false;
    const nextHops = wider.nextHops.filter((hop) => !isWithin([hop], route.nextHops));
    this.#put(
      route,
      routes.map((each) => (each === wider ? { ...wider, nextHops } : each)),
    );
    return true;
  }

  /** The route that a packet without TOS takes. Passed over are those that `skip` says; `throw` ends the search. */
  find(address: Ip, skip: (route: Route) => boolean): Route | undefined {
    for (const routes of this.#table.matches(address)) {
      const route = routes.find((each) => each.tos === 0 && !skip(each));
      if (route !== undefined) return route.type === RTN_THROW ? undefined : route;
    }
    return undefined;
  }

  equals(other: RouteSet): boolean {
    return isSubset(this, other) && isSubset(other, this);
  }

  *networks(): Generator<readonly Route[]> {
    yield* this.#table.values("ipv4");
    yield* this.#table.values("ipv6");
  }

  of(prefix: Ip, prefixLength: number): readonly Route[] {
    return this.#table.get(prefix, prefixLength) ?? [];
  }

  #of(route: Route): readonly Route[] {
    return this.of(route.prefix, route.prefixLength);
  }

  #put({ prefix, prefixLength }: Route, routes: readonly Route[]): void {
    if (routes.length === 0) this.#table.delete(prefix, prefixLength);
    else this.#table.set(prefix, prefixLength, routes);
  }
}

/** Routes of one network that stand for the same thing in different editions. */
const isLike = (a: Route, b: Route): boolean => a.metric === b.metric && a.tos === b.tos;

/**
 * IPv6 tells of a route that has got one more next hop by telling it whole; IPv4 keeps routes beside each other and says
 * when one is replaced.
 */
function isReplacedBy(old: Route, route: Route, placement: Placement): boolean {
  if (!isLike(old, route)) return false;
  if (placement === "instead") return true;
  return route.family === "ipv6" && route.nextHops.length > 1 && isWithin(old.nextHops, route.nextHops);
}

const sameHop = (a: NextHop, b: NextHop): boolean => a.ifindex === b.ifindex && a.gateway === b.gateway;
const isWithin = (some: readonly NextHop[], all: readonly NextHop[]): boolean =>
  some.every((hop) => all.some((each) => sameHop(hop, each)));
const sameHops = (a: readonly NextHop[], b: readonly NextHop[]): boolean =>
  a.length === b.length && a.every((hop, i) => sameHop(hop, b[i]!));

/** Lower metrics first; among its like first or last. */
function inserted(routes: readonly Route[], route: Route, isFirst: boolean): Route[] {
  const at = routes.findIndex((each) => each.metric > route.metric || (isFirst && each.metric === route.metric));
  return at < 0 ? [...routes, route] : routes.toSpliced(at, 0, route);
}

/** In all that has a say in an answer. */
const sameRoute = (a: Route, b: Route): boolean =>
  isLike(a, b) &&
  a.type === b.type &&
  a.scope === b.scope &&
  a.prefSource === b.prefSource &&
  a.mtu === b.mtu &&
  sameHops(a.nextHops, b.nextHops);

function isSubset(some: RouteSet, all: RouteSet): boolean {
  for (const routes of some.networks()) {
    const others = all.of(routes[0]!.prefix, routes[0]!.prefixLength);
    if (routes.length !== others.length || !routes.every((route, i) => sameRoute(route, others[i]!))) return false;
  }
  return true;
}
