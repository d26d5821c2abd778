import { expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { undoneOptions } from "./undone.ts";

const told = (block: string): readonly string[] => {
  const { config } = parseText(`vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  virtual_ipaddress {
    10.9.0.100/24 dev eth0 label eth0:1
  }
  ${block}
}`);
  return undoneOptions(config);
};

test("what is carried out is not told", () => {
  const routes = "10.77.0.0/16 via 10.9.0.2 dev eth0 table 100 metric 5 mtu 1400\nblackhole 10.78.0.0/16";
  expect(
    told(`virtual_routes {\n ${routes}\n }\n virtual_rules {\n from 10.9.0.0/24 table 100 preference 7 fwmark 3\n }`),
  ).toEqual([]);
});

test("options of routes, rules and VMACs that are left out are told with their place", () => {
  expect(told("virtual_routes {\n 10.77.0.0/16 via 10.9.0.2 dev eth0 advmss 1400 initcwnd 10\n }")[0]).toMatch(
    /:8: advmss, initcwnd is read and not carried out$/,
  );
  expect(told("virtual_rules {\n not from 10.9.0.0/24 table 100 preference 7 ip_proto tcp\n }")[0]).toMatch(
    /the whole rule, not, ip_?proto is read and not carried out$/,
  );
  expect(told("use_vmac vrrp.51 group 7")[0]).toMatch(/:7: use_vmac: group is read and not carried out$/);
});
