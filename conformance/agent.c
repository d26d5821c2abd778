// SPDX-License-Identifier: MIT
/*
 * The hands of the conformance harness. It makes three network namespaces (client, director, real servers), lives in the
 * director's, and carries out a plan: run a command, write a setting, send a frame and note every frame that comes out.
 * It knows nothing of IPVS: frames are made, and answers read, by TypeScript. The same program serves both sides, inside
 * user-mode-linux and on the host. One plan is one case:
 *
 *   agent run PLAN RESULT          one plan
 *   agent batch DIR                DIR/index names plans, one a line: "slow 0001" (many at a time) or "fast 0002"
 *
 * A plan is lines of words separated by tabs. Answers are lines; the first word of each says what it is:
 *   N                         make the namespaces; /proc/self/fd/100 is the client's, 101 the real servers'
 *   O side if [gro]           raise the link and open the frame socket of side c or r; with gro it receives by NAPI,
 *                             which frames that XDP redirects need                        (no answer)
 *   K if...                   switch off checksum and segmentation offload                (no answer)
 *   Q ms ms hex               how long the wire must be silent before a step is over; how long to wait when nothing came
 *                             out at all; and the marker: a frame the director forwards from c to r, sent after the
 *                             others to see them through                                  (no answer)
 *   I hex                     standard input of the next command                          (no answer)
 *   X ms word...              run a command, at most so long       o <hex of output>, x <exit code>
 *   G ms word...              run a command until it exits with 0  x 0, or x <last exit code>
 *   B word...                 start a command that lives until the plan ends              (no answer)
 *   W path value              write a file                          x <errno>
 *   R path                    read a file                           o <hex>, x <errno>
 *   S side hex...             send frames                           f <side> <hex> for each frame that came out
 *   P side hex                send a frame                          p <side><last byte of its MAC>,... of what came out
 *   M ms                      wait                                  f lines
 *   = text                    a step begins                         = text
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 4096
#define MAX_FRAME 65536
#define MAX_CHILDREN 16
#define SLOW_AT_ONCE 5

static FILE *answer;
static int sockets[2] = { -1, -1 };
static const char *SIDES = "cr";
static int quiet_ms, patience_ms;
static unsigned char marker[128];
static size_t marker_length;
static unsigned char *input;
static size_t input_length;
static int noted;
static pid_t children[MAX_CHILDREN];
static int child_count;

static void die(const char *what)
{
	if (answer) {
		fprintf(answer, "! %s: %s\n", what, strerror(errno));
		fflush(answer);
	}
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static void put_hex(const unsigned char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		putc_unlocked(digits[bytes[i] >> 4], answer);
		putc_unlocked(digits[bytes[i] & 15], answer);
	}
}

static int nibble(char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static size_t get_hex(const char *text, unsigned char *bytes)
{
	size_t n = 0;

	for (; text[0] && text[1]; text += 2)
		bytes[n++] = nibble(text[0]) << 4 | nibble(text[1]);
	return n;
}

static int side_of(const char *word)
{
	return word[0] == 'r';
}

/* ---- namespaces and frame sockets ---- */

static void make_namespaces(void)
{
	for (int fd = 100; fd <= 102; fd++) {
		if (unshare(CLONE_NEWNET) < 0)
			die("unshare");
		int made = open("/proc/self/ns/net", O_RDONLY);
		if (made < 0 || dup2(made, fd) < 0)
			die("namespace");
		close(made);
	}
	/* The third one, the director's, is where we stay. */
}

/* The peers' own stacks stay silent: they have no addresses, and IPv6, which would give itself one, is off. */
static void raise_link(int fd, const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_UP };
	int off = open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (off >= 0 && write(off, "1", 1) < 0)
		die("disable_ipv6");
	close(off);
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die(name);
}

static void set_offload(int fd, const char *name, unsigned int command, unsigned int on)
{
	struct ethtool_value value = { .cmd = command, .data = on };
	struct ifreq request = { .ifr_data = (void *)&value };

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	ioctl(fd, SIOCETHTOOL, &request);
}

static void open_side(char **word)
{
	int side = side_of(word[1]);
	struct ifreq request = { 0 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int one = 1, room = 8 << 20;

	if (setns(100 + side, CLONE_NEWNET) < 0)
		die("setns");
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("packet socket");
	raise_link(fd, word[2]);
	if (word[3])
		set_offload(fd, word[2], ETHTOOL_SGRO, 1);
	strncpy(request.ifr_name, word[2], IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		die(word[2]);
	at.sll_ifindex = request.ifr_ifindex;
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("bind");
	sockets[side] = fd;
	if (setns(102, CLONE_NEWNET) < 0)
		die("setns back");
}

static void no_offload(char **names)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (; *names; names++) {
		set_offload(fd, *names, ETHTOOL_STSO, 0);
		set_offload(fd, *names, ETHTOOL_SGSO, 0);
		set_offload(fd, *names, ETHTOOL_STXCSUM, 0);
	}
	close(fd);
}

/* ---- frames ---- */

/* Address resolution, router chatter and group membership say nothing about a director. */
static int is_noise(const unsigned char *frame, size_t length)
{
	unsigned int type = frame[12] << 8 | frame[13];

	if (length < 34 || (type != 0x0800 && type != 0x86dd))
		return 1;
	if (type == 0x0800 && frame[23] == 2)
		return 1;
	if (type == 0x86dd && length >= 55 && frame[20] == 58 && frame[54] >= 130 && frame[54] <= 143)
		return 1;
	return type == 0x86dd && length >= 63 && frame[20] == 0 && frame[54] == 58;
}

#define TAIL 8          /* the marker is known by its last bytes: the rest changes on the way */
#define MARKER_MS 500

static int is_marker(const unsigned char *frame, size_t length)
{
	return length == marker_length && !memcmp(frame + length - TAIL, marker + length - TAIL, TAIL);
}

/* Hands waiting frames to `note`; tells how many markers were among them. */
static int empty_socket(int side, void (*note)(int side, const unsigned char *frame, size_t length))
{
	static unsigned char frame[MAX_FRAME];
	int markers = 0;
	ssize_t n;

	while ((n = recv(sockets[side], frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
		if (is_marker(frame, n))
			markers++;
		else if (!is_noise(frame, n))
			note(side, frame, n);
	}
	return markers;
}

/*
 * Notes every frame that came out. Packets are handled in the order they were sent, so what a frame causes is out when
 * the marker sent after it is (the processor may have put either off, so there is no counting on time alone).
 */
static void drain(void (*note)(int side, const unsigned char *frame, size_t length), int quiet, int patience)
{
	struct pollfd ready[2] = { { sockets[0], POLLIN, 0 }, { sockets[1], POLLIN, 0 } };
	long deadline = now_ms() + MARKER_MS;
	int seen = marker_length == 0, silence;

	noted = 0;
	if (!seen && send(sockets[0], marker, marker_length, 0) < 0)
		fprintf(answer, "! marker: %s\n", strerror(errno));
	do {
		empty_socket(0, note);
		if (empty_socket(1, note))
			seen = 1;
		silence = noted ? quiet : patience;
	} while ((!seen && now_ms() < deadline && poll(ready, 2, 20) >= 0) || (silence > 0 && poll(ready, 2, silence) > 0));
	empty_socket(0, note);
	if (!seen)
		fputs("! the marker was lost\n", answer);
}

static void note_frame(int side, const unsigned char *frame, size_t length)
{
	noted = 1;
	fprintf(answer, "f %c ", SIDES[side]);
	put_hex(frame, length);
	putc('\n', answer);
}

static int answered;    /* the pick went back to the client: nobody takes it */

static void note_pick(int side, const unsigned char *frame, size_t length)
{
	(void)length;
	noted = 1;
	answered |= side == 0;
	fprintf(answer, "%c%02x,", SIDES[side], frame[5]);
}

static void send_one(int side, const char *hex)
{
	static unsigned char frame[MAX_FRAME];
	size_t length = get_hex(hex, frame);

	if (send(sockets[side], frame, length, 0) < 0)
		fprintf(answer, "! send: %s\n", strerror(errno));
}

static void send_frames(char **word)
{
	for (int i = 2; word[i]; i++)
		send_one(side_of(word[1]), word[i]);
	drain(note_frame, quiet_ms, patience_ms);
}

/*
 * A new flow's first packet makes one frame come out; only when none is there yet, the marker tells whether one will be.
 * Refusals are paced: both sides answer no more than 1000 a second.
 */
static void send_pick(char **word)
{
	fputs("p ", answer);
	send_one(side_of(word[1]), word[2]);
	noted = answered = 0;
	empty_socket(1, note_pick);
	if (!noted)
		drain(note_pick, 0, patience_ms);
	if (answered)
		sleep_ms(1);
	putc('\n', answer);
}

/* ---- commands and files ---- */

static pid_t start(char **argv, int in, int out)
{
	pid_t pid = vfork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing that we started outlives us, whatever ends us */
		if (in >= 0)
			dup2(in, 0);
		if (out >= 0) {
			dup2(out, 1);
			dup2(out, 2);
		}
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static int input_file(void)
{
	if (!input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("input", MFD_CLOEXEC);
	if (write(fd, input, input_length) < 0)
		die("input");
	lseek(fd, 0, SEEK_SET);
	free(input);
	input = NULL;
	return fd;
}

/* Reads the command's output until it ends or the time is up (then it is killed); returns its exit code. */
static int finish(pid_t pid, int from, long deadline, int keep)
{
	unsigned char part[4096];
	int status;

	for (;;) {
		struct pollfd ready = { from, POLLIN, 0 };
		long left = deadline - now_ms();

		if (left <= 0 || poll(&ready, 1, left) <= 0) {
			kill(pid, SIGKILL);
			break;
		}
		ssize_t n = read(from, part, sizeof(part));
		if (n <= 0)
			break;
		if (keep)
			put_hex(part, n);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(char **argv, long deadline, int keep)
{
	int ends[2], in = input_file();

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	pid_t pid = start(argv, in, ends[1]);
	close(ends[1]);
	close(in);
	int code = finish(pid, ends[0], deadline, keep);
	close(ends[0]);
	return code;
}

static void run_command(char **word)
{
	fputs("o ", answer);
	int code = run(word + 2, now_ms() + atol(word[1]), 1);
	fprintf(answer, "\nx %d\n", code);
}

static void run_until_good(char **word)
{
	long deadline = now_ms() + atol(word[1]);
	int code;

	while ((code = run(word + 2, deadline, 0)) != 0 && now_ms() + 20 < deadline)
		sleep_ms(20);
	fprintf(answer, "x %d\n", code);
}

static void write_file(char **word)
{
	int fd = open(word[1], O_WRONLY | O_CLOEXEC);
	int failed = fd < 0 || write(fd, word[2], strlen(word[2])) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	fprintf(answer, "x %d\n", failed);
}

static void read_file(char **word)
{
	unsigned char part[4096];
	ssize_t n = 0;
	int fd = open(word[1], O_RDONLY | O_CLOEXEC);
	int failed = fd < 0 ? errno : 0;

	fputs("o ", answer);
	while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
		put_hex(part, n);
	if (n < 0)
		failed = errno;
	if (fd >= 0)
		close(fd);
	fprintf(answer, "\nx %d\n", failed);
}

static void end_children(void)
{
	for (int i = 0; i < child_count; i++)
		kill(children[i], SIGTERM);
	for (int i = 0; i < child_count; i++) {
		long deadline = now_ms() + 3000;

		while (waitpid(children[i], NULL, WNOHANG) == 0) {
			if (now_ms() > deadline)
				kill(children[i], SIGKILL);
			sleep_ms(5);
		}
	}
	child_count = 0;
}

/* ---- plans ---- */

static long begun_ms, waited_ms;

/* How much later than the plan asks for a step has ended: what counts down has come that much further. */
static void end_step(void)
{
	if (begun_ms)
		fprintf(answer, "l %ld\n", now_ms() - begun_ms - waited_ms);
	else
		begun_ms = now_ms();
}

static void obey(char **word, int count)
{
	switch (word[0][0]) {
	case 'N': make_namespaces(); break;
	case 'O': open_side(word); break;
	case 'K': no_offload(word + 1); break;
	case 'Q':
		quiet_ms = atoi(word[1]);
		patience_ms = atoi(word[2]);
		marker_length = get_hex(word[3], marker);
		break;
	case 'I':
		input = malloc(count > 1 ? strlen(word[1]) / 2 + 1 : 1);
		input_length = count > 1 ? get_hex(word[1], input) : 0;
		break;
	case 'X': run_command(word); break;
	case 'G': run_until_good(word); break;
	case 'B':
		if (child_count < MAX_CHILDREN)
			children[child_count++] = start(word + 1, -1, 2);
		break;
	case 'W': write_file(word); break;
	case 'R': read_file(word); break;
	case 'S': send_frames(word); break;
	case 'P': send_pick(word); break;
	case 'M': waited_ms += atol(word[1]); sleep_ms(atol(word[1])); drain(note_frame, quiet_ms, 0); break;
	case '=':
		end_step();
		fprintf(answer, "= %s\n", word[1]);
		fflush(answer); /* if all ends here, this is where it ended */
		break;
	default: fprintf(answer, "! unknown word %s\n", word[0]);
	}
}

static void carry_out(const char *plan, const char *result)
{
	static char *word[MAX_WORDS + 1];
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	FILE *from = fopen(plan, "re");

	answer = fopen(result, "we");
	if (!from || !answer)
		die(plan);
	while ((length = getline(&line, &room, from)) > 0) {
		int count = 0;
		char *rest = line, *next;

		if (line[length - 1] == '\n')
			line[length - 1] = 0;
		while (count < MAX_WORDS && (next = strsep(&rest, "\t")))
			word[count++] = next;
		word[count] = NULL;
		obey(word, count);
	}
	end_step();
	end_children();
	fputs("end\n", answer);
	fclose(answer);
	fclose(from);
	free(line);
}

/* ---- many plans ---- */

static pid_t carry_out_apart(const char *dir, const char *name)
{
	char plan[512], result[512];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(plan, sizeof(plan), "%s/%s.plan", dir, name);
	snprintf(result, sizeof(result), "%s/%s.part", dir, name);
	carry_out(plan, result);
	snprintf(plan, sizeof(plan), "%s/%s.out", dir, name);
	rename(result, plan);
	_exit(0);
}

/* Carries out the plans of one pace, `at_once` at a time. */
static void batch_of(const char *dir, const char *pace, int at_once)
{
	char path[512], its_pace[16], name[64];
	int running = 0;

	snprintf(path, sizeof(path), "%s/index", dir);
	FILE *index = fopen(path, "re");
	if (!index)
		die(path);
	while (fscanf(index, "%15s %63s", its_pace, name) == 2) {
		if (strcmp(its_pace, pace))
			continue;
		if (running == at_once && wait(NULL) > 0)
			running--;
		carry_out_apart(dir, name);
		running++;
	}
	while (wait(NULL) > 0)
		;
	fclose(index);
}

/* Slow cases wait most of the time: a few of them run beside each other, and beside the fast ones. */
static void batch(const char *dir)
{
	pid_t beside = fork();

	batch_of(dir, beside ? "fast" : "slow", beside ? 1 : SLOW_AT_ONCE);
	if (!beside)
		_exit(0);
	waitpid(beside, NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "run")) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		carry_out(argv[2], argv[3]);
	}
	else if (argc == 3 && !strcmp(argv[1], "batch"))
		batch(argv[2]);
	else
		return fprintf(stderr, "usage: agent run PLAN RESULT | agent batch DIR\n"), 2;
	return 0;
}
