/** Slips of the pen in one good file: what people really type. Data of tests and of docs/messages.md. */

export const GOOD = `global_defs {
    router_id lb1
    notification_email {
        ops@example.com
    }
    smtp_server 192.0.2.25
    vrrp_garp_master_refresh 60
}
vrrp_script alive {
    script "/bin/true"
    interval 2
    weight -30
    user root
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass secret12
    }
    virtual_ipaddress {
        10.0.0.100/24 dev eth0
    }
    track_script {
        alive
    }
}
virtual_server 10.0.0.100 80 {
    delay_loop 6
    lb_algo wlc
    lb_kind DR
    protocol TCP
    real_server 10.0.0.11 80 {
        weight 1
        HTTP_GET {
            url {
                path /health
                status_code 200
            }
            connect_timeout 3
        }
    }
    real_server 10.0.0.12 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
`;

export interface Typo {
  readonly what: string;
  readonly from: string;
  readonly to: string;
}

const typo = (what: string, from: string, to: string): Typo => ({ what, from, to });

export const typos: readonly Typo[] = [
  typo("a keyword with a letter too many", "virtual_router_id 51", "virtual_router_idd 51"),
  typo("a keyword with letters swapped", "priority 150", "pritority 150"),
  typo("a keyword in the wrong case", "TCP_CHECK {", "tcp_check {"),
  typo("a keyword with a minus for an underscore", "advert_int 1", "advert-int 1"),
  typo("a keyword of another block", "lb_algo wlc", "lb_algo wlc\n    advert_int 1"),
  typo("a keyword one block too deep", "delay_loop 6", "delay_loop 6\n    vrrp_garp_master_delay 3"),
  typo("a block misspelt", "vrrp_instance VI_1 {", "vrrp_instnace VI_1 {"),
  typo("an inner block misspelt", "virtual_ipaddress {", "virtual_ipaddres {"),
  typo("a check misspelt", "HTTP_GET {", "HTTPGET {"),
  typo("a word with an equals sign", "priority 150", "priority = 150"),
  typo("a word with a colon", "priority 150", "priority: 150"),
  typo("a line that ends in a semicolon", "priority 150", "priority 150;"),
  typo("a closing brace forgotten in the middle", "        auth_pass secret12\n    }\n", "        auth_pass secret12\n"),
  typo("a closing brace forgotten before the next block", "        alive\n    }\n}\n", "        alive\n    }\n"),
  typo(
    "a closing brace forgotten before the next real server",
    "            connect_timeout 3\n        }\n    }\n    real_server 10.0.0.12",
    "            connect_timeout 3\n        }\n    real_server 10.0.0.12",
  ),
  typo(
    "the last closing brace forgotten",
    "            connect_timeout 3\n        }\n    }\n}\n",
    "            connect_timeout 3\n        }\n    }\n",
  ),
  typo("a closing brace too many", "smtp_server 192.0.2.25", "smtp_server 192.0.2.25\n    }"),
  typo("an opening brace forgotten", "authentication {", "authentication"),
  typo("an opening brace forgotten at a real server", "real_server 10.0.0.12 80 {", "real_server 10.0.0.12 80"),
  typo("a parenthesis for a brace", "global_defs {", "global_defs ("),
  typo("a quote forgotten", '"/bin/true"', '"/bin/true'),
  typo("an address with a number too large", "10.0.0.100/24 dev", "10.0.0.300/24 dev"),
  typo("an address with a part missing", "real_server 10.0.0.11 80", "real_server 10.0.11 80"),
  typo("an address with a comma", "real_server 10.0.0.11 80", "real_server 10.0.0,11 80"),
  typo("a name for an address", "real_server 10.0.0.11 80", "real_server web1 80"),
  typo("an address and port with a colon", "virtual_server 10.0.0.100 80", "virtual_server 10.0.0.100:80"),
  typo("a prefix length that is none", "10.0.0.100/24 dev", "10.0.0.100/33 dev"),
  typo("a VRID that is too large", "virtual_router_id 51", "virtual_router_id 510"),
  typo("a priority that is too large", "priority 150", "priority 1500"),
  typo("a port that is too large", "real_server 10.0.0.11 80", "real_server 10.0.0.11 80800"),
  typo("a number with a letter O", "weight -30", "weight -3O"),
  typo("a number with a unit", "delay_loop 6", "delay_loop 6s"),
  typo("a value forgotten", "priority 150", "priority"),
  typo("a password that is too long", "auth_pass secret12", "auth_pass secret1234"),
  typo("an interface that is not there", "interface eth0", "interface eht0"),
  typo("a state that is none", "state BACKUP", "state SLAVE"),
  typo("a scheduler that is none", "lb_algo wlc", "lb_algo leastconn"),
  typo("a method in lower case", "lb_kind DR", "lb_kind dr"),
  typo("a protocol that is none", "protocol TCP", "protocol HTTP"),
  typo("another port with DR", "real_server 10.0.0.11 80", "real_server 10.0.0.11 8080"),
  typo("a real server twice", "real_server 10.0.0.12 80", "real_server 10.0.0.11 80"),
  typo("a script that nobody defined", "        alive\n", "        alvie\n"),
  typo("a script that is not there", "/bin/true", "/bin/ture"),
  typo("a quorum out of reach", "delay_loop 6", "delay_loop 6\n    quorum 5"),
  typo("nopreempt beside state MASTER", "state BACKUP", "state MASTER\n    nopreempt"),
  typo(
    "an instance twice",
    "virtual_server 10.0.0.100 80 {",
    "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 52\n    virtual_ipaddress { 10.0.0.101 }\n}\nvirtual_server 10.0.0.100 80 {",
  ),
  typo(
    "a VRID twice",
    "virtual_server 10.0.0.100 80 {",
    "vrrp_instance VI_2 {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress { 10.0.0.101 }\n}\nvirtual_server 10.0.0.100 80 {",
  ),
];

export const fileWith = ({ from, to }: Typo): string => GOOD.replace(from, to);
