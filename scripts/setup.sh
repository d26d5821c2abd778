#!/usr/bin/env bash
# What lvsd needs on a Debian 12 that has Node, npm and make.
#   setup.sh            both of these:
#   setup.sh packages   Debian packages that are missing (root)
#   setup.sh modules    node_modules, when package-lock.json has changed since they were installed
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
	clang llvm libbpf-dev libbpf1 bpftool # build and load the data path
	iproute2 iputils-ping iputils-arping kmod ethtool tcpdump tshark procps util-linux jq curl # see and shape a lab
	nginx-light wrk iperf3 vsftpd # servers and load
	ipvsadm keepalived user-mode-linux # the real thing, to compare with
)

missing_packages() {
	local name
	for name in "${packages[@]}"; do
		dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || printf '%s\n' "$name"
	done
}

# While packages are installed no service may start (nginx, keepalived). The machine's own policy, where it has one, is respected.
policy=/usr/sbin/policy-rc.d
mark='# temporary, by setup.sh of lvsd'
allow_services() { if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi; }
deny_services() {
	trap allow_services EXIT
	trap 'exit 130' INT TERM HUP
	[ -e "$policy" ] || install -m 755 /dev/stdin "$policy" <<<"#!/bin/sh
$mark
exit 101"
}

setup_packages() {
	local missing
	mapfile -t missing < <(missing_packages)
	if [ ${#missing[@]} -eq 0 ]; then
		echo "setup: all Debian packages are there"
		return
	fi
	if [ "$(id -u)" -ne 0 ]; then
		echo "setup: these packages are missing, and only root can install them: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	echo "setup: installing ${missing[*]}"
	deny_services
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -q -y --no-install-recommends "${missing[@]}"
	allow_services
	# Nor with the next boot: a machine that had no FTP server is to have none after a test run.
	if [[ " ${missing[*]} " == *" vsftpd "* ]]; then systemctl --quiet disable vsftpd.service 2>/dev/null || true; fi
}

# npm ci, but for one reason to refuse: a lock file from a registry without some optional packages for other systems, which
# it names without a version ("Missing: @biomejs/cli-darwin-x64@ from lock file"). npm install then takes the same locked
# versions, checks the same hashes, and writes nothing. Any other refusal stands.
install_modules() {
	local said
	if said=$(npm ci --no-audit --no-fund 2>&1); then
		return
	fi
	if grep -q 'Missing: .*@ from lock file' <<<"$said" && ! grep -E '(Missing|Invalid): ' <<<"$said" | grep -qv '@ from lock file'; then
		echo "setup: package-lock.json lacks optional packages for other systems; installing what it has"
		npm install --no-save --no-audit --no-fund
		return
	fi
	printf '%s\n' "$said" >&2
	exit 1
}

setup_modules() {
	local stamp=node_modules/.lvsd-installed now
	now=$(sha256sum <package-lock.json)
	if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
		echo "setup: node_modules are up to date"
		return
	fi
	install_modules
	printf '%s\n' "$now" >"$stamp"
}

case "${1:-all}" in
packages) setup_packages ;;
modules) setup_modules ;;
all)
	setup_packages
	setup_modules
	;;
*) sed -n '2,5p' "$0" >&2 && exit 2 ;;
esac
