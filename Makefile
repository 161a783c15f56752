# mailroot.  make; make check; make lint; make install.  The module lists below are
# the architecture: a file includes only its own layer or a lower one.
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
LOCALSTATEDIR ?= /var

L1 = lib/buf lib/log lib/reply lib/util
L2 = lib/envelope lib/addr lib/addrlist lib/author lib/header lib/fixup lib/mime \
	lib/mimehead lib/mimeline lib/mimeread lib/codec lib/verb \
	lib/request lib/dotted lib/replyline lib/offers lib/confread \
	lib/confsource lib/confvalue lib/confmanual lib/pickuphead \
	lib/queueid lib/dsn
L3 = dns lib/loop lib/crypto lib/cert lib/tls lib/stream
L4 = conf out/confguard queue esmtp out/sasl out/roll out/auth out/command out/route
L5 = in/account in/setup in/submit in/smtpd in/wire in/attempt in/message in/identity in/alias in/caller \
	in/limits in/pickup \
	out/deliver out/hop out/session out/secure out/race out/settle \
	out/run out/watch out/drop out/report out/bounce out/mailq \
	out/state out/verify out/secret
L6 = sendmail
MODULES = $(L1) $(L2) $(L3) $(L4) $(L5)

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wpointer-arith -Wwrite-strings -Wvla
HARD = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LINK = -pie -Wl,-z,relro,-z,now,--as-needed
B = build
ifdef SAN
B = build/san
HARD = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK = -fsanitize=address,undefined
endif
CPP = -I. -I$(B) -D_GNU_SOURCE -DPATH_CONF='"$(SYSCONFDIR)/mailroot/mailroot.conf"' \
	-DPATH_SECRET='"$(SYSCONFDIR)/mailroot/secret"' \
	-DPATH_MAILROOT='"$(LOCALSTATEDIR)/spool/mailroot"' $(CPPFLAGS)
LIBS = -lssl -lcrypto -lcares -lbsd
OBJ = $(MODULES:%=$(B)/%.o)
UNIT = $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/*.c))
TOOLS = $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(wildcard tests/tools/*.c))
BINARY = $(B)/sendmail

all: $(BINARY) $(B)/mailq $(B)/newaliases

$(BINARY): $(B)/sendmail.o $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) -o $@ $^ $(LIBS)
$(B)/mailq $(B)/newaliases: $(BINARY)
	ln -sf sendmail $@
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(HARD) $(CPP) -std=gnu11 -MMD -MP -c -o $@ $<
$(B)/tests/%: tests/%.c $(OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(HARD) $(CPP) -std=gnu11 -MMD -MP -MF $@.d $(LDFLAGS) $(LINK) -o $@ $< $(OBJ) $(LIBS)
-include $(shell find $(B) -path '*/peers' -prune -o -name '*.d' -type f -print 2>/dev/null)

# The manual pages hold the tables of options, settings and verbs.
PAGES = man/sendmail.8 man/mailroot.conf.5 man/mailq.1
man/mailroot.conf.5: man/mailroot.conf.5.in conf.c lib/verb.c | $(B)/tests/tools/manual
	$(B)/tests/tools/manual <$< >$@.new && mv $@.new $@
man/sendmail.8: man/sendmail.8.in sendmail.c | $(BINARY)
	awk '/^@OPTIONS@$$/ { while (("$(BINARY) --manual" | getline l) > 0) print l; next } { print }' $< >$@.new
	mv $@.new $@
pages: $(PAGES)

# etc/: who runs the queue.  An empty directory leaves its files out.
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
OPENRCDIR ?= $(PREFIX)/share/mailroot
CRONDIR ?= $(PREFIX)/share/mailroot
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/mailroot
# place FILE DIRECTORY NAME MODE: with the paths of this installation.
place = $(if $(2),install -d $(DESTDIR)$(2) && sed 's|/usr/sbin|$(PREFIX)/sbin|g; \
	s|/var/spool|$(LOCALSTATEDIR)/spool|g' etc/$(1) >$(DESTDIR)$(2)/$(3) && chmod $(4) $(DESTDIR)$(2)/$(3))
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib \
		$(DESTDIR)$(SYSCONFDIR)/mailroot $(DESTDIR)$(MANDIR)/man1 \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/sbin/sendmail
	ln -sf ../sbin/sendmail $(DESTDIR)$(PREFIX)/lib/sendmail
	ln -sf ../sbin/sendmail $(DESTDIR)$(PREFIX)/bin/mailq
	ln -sf ../sbin/sendmail $(DESTDIR)$(PREFIX)/bin/newaliases
	install -m 644 man/mailq.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 man/mailroot.conf.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 man/sendmail.8 $(DESTDIR)$(MANDIR)/man8
	ln -sf ../man8/sendmail.8 $(DESTDIR)$(MANDIR)/man1/newaliases.1
	$(if $(DOCDIR),install -d $(DESTDIR)$(DOCDIR)/migrating && \
		install -m 644 doc/migrating/* $(DESTDIR)$(DOCDIR)/migrating)
	$(call place,mailroot.service,$(UNITDIR),mailroot.service,644)
	$(call place,mailroot.timer,$(UNITDIR),mailroot.timer,644)
	$(call place,mailroot.path,$(UNITDIR),mailroot.path,644)
	$(call place,mailroot-watch.service,$(UNITDIR),mailroot-watch.service,644)
	$(call place,mailroot.sysusers,$(SYSUSERSDIR),mailroot.conf,644)
	$(call place,mailroot.tmpfiles,$(TMPFILESDIR),mailroot.conf,644)
	$(call place,mailroot.openrc,$(OPENRCDIR),$(if $(OPENRCDIR:%/init.d=),mailroot.openrc,mailroot),755)
	$(call place,mailroot.cron,$(CRONDIR),$(if $(CRONDIR:%/cron.d=),mailroot.cron,mailroot),644)
	@[ -n '$(DESTDIR)' ] || echo 'install: now, as root: $(PREFIX)/sbin/sendmail --setup'

deps:
	./tests/deps
demo: all $(TOOLS)
	./tests/demo $(B)
check: all $(UNIT) $(TOOLS) lint
	./tests/run $(B)
check-clients: all $(B)/tests/tools/smtpd
	./tests/clients/run $(B)
check-package:
	./tests/package/run
bench: all
	for b in startup inject once fanout drain memory; do SENDMAIL=$(BINARY) ./bench/$$b || exit 1; done
lint:
	@./tests/lint "$(L1)" "$(L2)" "$(L3)" "$(L4)" "$(L5)" "$(L6)"
clean:
	rm -rf build/*.o build/*.d build/lib build/in build/out build/tests build/san build/sendmail build/mailq build/newaliases

.PHONY: all deps demo check check-clients check-package bench lint clean install pages
