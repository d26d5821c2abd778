// SPDX-License-Identifier: MIT
/*
 * What the machine itself does to a program that must be on time: beat INTERVAL-MS
 * Wakes every interval at a real-time priority above all routers, does nothing, and prints how late it was, in ms, whenever
 * that was a millisecond or more: "TIME LATE", the time as in date +%s, in ms. Ends with SIGTERM.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECOND 1000000000L

static double ms(const struct timespec *t)
{
	return t->tv_sec * 1e3 + t->tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	struct sched_param highest = { .sched_priority = 90 };
	struct timespec next, now, real;
	long interval = argc > 1 ? atol(argv[1]) * 1000000 : 0;

	if (interval <= 0 || sched_setscheduler(0, SCHED_FIFO, &highest) != 0) {
		fprintf(stderr, "usage, as root: beat INTERVAL-MS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		next.tv_nsec += interval;
		for (; next.tv_nsec >= SECOND; next.tv_nsec -= SECOND)
			next.tv_sec++;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (ms(&now) - ms(&next) < 1)
			continue;
		clock_gettime(CLOCK_REALTIME, &real);
		printf("%.3f %.3f\n", ms(&real), ms(&now) - ms(&next));
		next = now;
	}
}
