#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# The C library of Alpine.  Debian has musl's compiler, but none of our
# libraries built for it.  So every file is compiled with their headers, and
# what needs none of their code is linked without them and run: the unit tests
# but for DNS, TLS and SASL, and --setup.  Not shown here: a whole program
# linked with Alpine's own libraries.

. "$(dirname "$0")/lib.sh"

command -v musl-gcc >/dev/null || {
	skip 'all of it: there is no musl-gcc (musl-tools)'
	finish
}

# ---- headers ----------------------------------------------------------------

# Those of our libraries and of the kernel, and nothing else of /usr/include.
include=$WORK/include
arch=/usr/include/$(gcc -print-multiarch)
mkdir -p "$include/sys" "$include/openssl"
for header in bsd ares.h ares_version.h ares_build.h ares_rules.h ares_dns.h \
    ares_nameser.h md5.h linux asm-generic; do
	for from in /usr/include "$arch"; do
		[ ! -e "$from/$header" ] || ln -sfn "$from/$header" "$include/"
	done
done
ln -s "$arch/asm" "$include/asm"
ln -sf /usr/include/openssl/* "$arch"/openssl/* "$include/openssl/"
# libbsd of a glibc system asks for glibc's; on Alpine it does not.
cat >"$include/sys/cdefs.h" <<END
#define __BEGIN_DECLS
#define __END_DECLS
END

# ---- compiled ---------------------------------------------------------------

OBJ=$WORK/obj
mkdir "$OBJ"
musl() {
	musl-gcc -idirafter "$include" -I"$TOP" -I"$BUILD" -D_GNU_SOURCE \
		-std=gnu11 -O0 "$@"
}
# compile FILE: without a warning.
compile() {
	musl -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror -c \
		-o "$OBJ/$(echo "${1%.c}" | tr / _).o" "$1"
}
cd "$TOP"
for file in *.c lib/*.c in/*.c out/*.c; do
	expect_exit "$file" 0 compile "$file"
	[ ! -s "$STDERR" ] || show "$STDERR"
done

# ---- run --------------------------------------------------------------------

# libbsd's part is one function.
cat >"$WORK/bsd.c" <<END
#include <unistd.h>
void closefrom(int fd);
void closefrom(int fd) { for (; fd < 1024; fd++) close(fd); }
END
musl -c -o "$OBJ/bsd.o" "$WORK/bsd.c"
mv "$OBJ/sendmail.o" "$WORK/main.o"
# link OUTPUT FILE...: a call into a library that is not there would end it.
link() {
	output=$1
	shift
	musl -w -static -Wl,--unresolved-symbols=ignore-all -o "$output" "$@" \
		"$OBJ"/*.o
}
mkdir -p "$WORK/build/tests"
ln -s "$BUILD/tests/tools" "$WORK/build/tests/tools"
expect_exit 'the program' 0 link "$WORK/build/sendmail" "$WORK/main.o"
for test in tests/unit/*.c; do
	unit=$(basename "$test" .c)
	case $unit in
	dns|esmtp|fuzz*|sasl|tls*) continue ;;	# c-ares, OpenSSL
	secret) continue ;;	# searches glibc's heap
	esac
	expect_exit "$unit: linked" 0 link "$WORK/$unit" "$test"
	expect_exit "$unit" 0 "$WORK/$unit"
	check "$unit: $(tail -n 1 "$STDOUT")" \
		grep -q "^$unit: [1-9][0-9]* passed, 0 failed" "$STDOUT"
done
expect_exit '--setup' 0 env BUILD="$WORK/build" WITHOUT_OPENSSL=yes \
	./tests/e2e/setup.sh
check "--setup: $(tail -n 1 "$STDOUT")" grep -q ' passed, 0 failed' "$STDOUT"
[ ! -s "$STDOUT" ] || grep -v '^e2e/setup:' "$STDOUT" | head -n 20

finish
