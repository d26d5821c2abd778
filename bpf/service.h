/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The service a packet is for, in the kernel's order (spec 1.4). */
#pragma once

#include "conn.h"

#define FTP_PORT 21
#define FTP_DATA_PORT 20

static __always_inline struct service *service_at(const struct flow *f, __be16 port)
{
	struct service_key key = { .addr = f->dst, .port = port, .protocol = f->protocol, .family = f->family };

	return bpf_map_lookup_elem(&services, &key);
}

static __always_inline struct service *mark_service(__u32 mark, int family)
{
	struct service_key key = { .addr.w[0] = mark, .family = family };

	return bpf_map_lookup_elem(&services, &key);
}

/* `mark`: of the packet, 0 for none. */
static __always_inline struct service *find_service(const struct settings *set, const struct flow *f, __u32 mark)
{
	__u16 port = bpf_ntohs(f->dport);
	struct service *s;

	if (mark) {
		s = mark_service(mark, f->family);
		if (s)
			return s;
	}
	s = service_at(f, f->dport);
	if (s)
		return s;
	if (f->protocol == IPPROTO_TCP && set->ftp_services && (port == FTP_DATA_PORT || port >= set->unprivileged_port)) {
		s = service_at(f, bpf_htons(FTP_PORT));
		if (s)
			return s;
	}
	return set->any_port_services ? service_at(f, 0) : 0;
}
