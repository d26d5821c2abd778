import { type Dest, familyOfService, type Service } from "../../director/director.ts";
import { type Ip, ipBytes } from "../../net/ip.ts";

/**
 * The order of listings. ipvsadm subtracts unsigned 32-bit numbers and takes the sign of the int, so that 200.0.0.1 comes
 * before 10.0.0.1; and since that is no order among three, the result depends on the sort, which is glibc's merge sort.
 */

const protocolNumber = { tcp: 6, udp: 17, sctp: 132 } as const;
/** AF_INET before AF_INET6. */
const familyNumber = { ipv4: 2, ipv6: 10 } as const;

type Keys = readonly number[];

export const sortedServices = (services: readonly Service[]): Service[] => sortBy(services, serviceKeys);
export const sortedDests = (dests: readonly Dest[]): Dest[] => sortBy(dests, (dest) => [...words(dest.addr), dest.port]);

function serviceKeys({ key }: Service): Keys {
  const family = familyNumber[familyOfService(key)];
  if (key.fwmark !== undefined) return [key.fwmark, family];
  return [0, family, protocolNumber[key.protocol], ...words(key.addr), key.port];
}

/** An address as four 32-bit words, an IPv4 one in the first. */
function words(address: Ip): number[] {
  const bytes = ipBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return [0, 4, 8, 12].map((at) => (at < bytes.length ? view.getUint32(at) : 0));
}

function compare(a: Keys, b: Keys): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i]! - (b[i] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

function sortBy<T>(items: readonly T[], keys: (item: T) => Keys): T[] {
  const keyed = items.map((item) => ({ item, keys: keys(item) }));
  return mergeSort(keyed, (a, b) => compare(a.keys, b.keys)).map(({ item }) => item);
}

/** Top-down, the shorter half first, the left one first among equals, as qsort(3) of glibc. */
export function mergeSort<T>(items: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  if (items.length <= 1) return items;
  const middle = items.length >> 1;
  const left = mergeSort(items.slice(0, middle), compare);
  const right = mergeSort(items.slice(middle), compare);
  const merged: T[] = [];
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) merged.push(compare(left[l]!, right[r]!) <= 0 ? left[l++]! : right[r++]!);
  while (l < left.length) merged.push(left[l++]!);
  while (r < right.length) merged.push(right[r++]!);
  return merged;
}
