/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * sendmail --setup: see setup.h.
 *
 * The one idea: look, compare with what should be, change only what differs,
 * and say so.  So it may run at every start of a container.  A failure does
 * not stop the rest: each folder more that is right is a way in more.
 *
 * Owners and modes are changed on descriptors that were opened without
 * following a link; above MailRoot the directories are the administrator's.
 *
 * In reading order: what is said, who owns the spool, folders, the settings,
 * the program itself, what is lacking.
 */
#include "in/setup.h"
#include "conf.h"
#include "config.h"
#include "in/account.h"
#include "lib/buf.h"
#include "lib/confread.h"
#include "lib/reply.h"
#include "lib/util.h"
#include "queue.h"

#include <bsd/string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct setup {
	struct account who;
	bool ready;		/* both are there, and files can be theirs */
	char why[256];		/* if not */
	int status;
};

/* ---- what is said --------------------------------------------------------- */

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	char text[2048], line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	printable(line, sizeof line, text, strlen(text));
	printf("%s\n", line);
}

static void failed(struct setup *s, const char *what, const char *path)
{
	complain("cannot %s %s: %s", what, path, strerror(errno));
	s->status = EXIT_CANTCREAT;
}

/* "mailroot:mailroot 2770" */
struct owner {
	char text[128];
};

static struct owner owner(uid_t uid, gid_t gid, mode_t mode)
{
	const struct passwd *pw = getpwuid(uid);
	const struct group *gr;
	struct owner o;
	char user[40];

	snprintf(user, sizeof user, "%u", (unsigned)uid);
	if (pw)
		strlcpy(user, pw->pw_name, sizeof user);
	gr = getgrgid(gid);
	if (gr)
		snprintf(o.text, sizeof o.text, "%s:%s %04o", user, gr->gr_name,
			 (unsigned)mode & 07777);
	else
		snprintf(o.text, sizeof o.text, "%s:%u %04o", user,
			 (unsigned)gid, (unsigned)mode & 07777);
	return o;
}

/* ---- who owns the spool --------------------------------------------------- */

/* The spool goes on as root's. */
static void give_way(struct setup *s, const char *why)
{
	s->ready = false;
	snprintf(s->why, sizeof s->why, "%s", why);
}

static void accounts(struct setup *s)
{
	struct account was, wish = { .uid = 0 };
	struct stat st;
	char why[256];

	account_find(&s->who);
	was = s->who;
	if (was.group && was.user) {
		s->ready = true;
		return;
	}
	/* A volume of an earlier container: its files belong to a number. */
	if (lstat(conf()->queue_dir, &st) == 0 && S_ISDIR(st.st_mode)) {
		wish.uid = st.st_uid;
		wish.gid = st.st_gid;
	}
	if (account_make(&s->who, &wish, why, sizeof why) == 0)
		s->ready = true;
	else
		give_way(s, why);
	if (s->who.group && !was.group)
		say("made group " MAILROOT_GROUP " (gid %u)",
		    (unsigned)s->who.gid);
	if (s->who.user && !was.user)
		say("made user " MAILROOT_USER " (uid %u)",
		    (unsigned)s->who.uid);
}

/* ---- folders ---------------------------------------------------------------- */

enum {
	OURS = 1,	/* mailroot's; else root's */
	READERS = 2,	/* another group may have been given it */
	KEPT = 4,	/* its files must be readable by the group */
};

static const struct folder {
	size_t at;
	mode_t mode;
	int flags;
} folders[] = {
	{ offsetof(struct conf, mailroot), 0755, 0 },
	{ offsetof(struct conf, queue_dir), QUEUE_MODE, OURS | KEPT },
	{ offsetof(struct conf, state_dir), QUEUE_MODE_GROUP, OURS | KEPT },
	{ offsetof(struct conf, badmail_dir), QUEUE_MODE_GROUP, OURS | KEPT },
	{ offsetof(struct conf, drop_dir), QUEUE_MODE_GROUP, OURS | READERS },
	{ offsetof(struct conf, pickup_dir), QUEUE_MODE_PICKUP, OURS },
};

/* The folder above path, made if need be, and opened; *name is what is left
 * of path.  -1 with errno. */
static int open_parent(const char *path, const char **name)
{
	char part[PATH_MAX], *slash;
	int fd = -1, up;

	if (strlcpy(part, path, sizeof part) >= sizeof part) {
		errno = ENAMETOOLONG;
		return -1;
	}
	slash = strrchr(part, '/');
	*name = path + (slash - part) + 1;
	if (slash == part)
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '\0';
	fd = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	up = open_parent(part, name);
	if (up < 0)
		return -1;
	if (mkdirat(up, *name, 0755) == 0) {
		fd = openat(up, *name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			    O_CLOEXEC);
		/* umask has had its say. */
		if (fd >= 0)
			fchmod(fd, 0755);
		fsync(up);
	} else if (errno == EEXIST) {	/* another --setup was faster */
		fd = openat(up, *name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	close(up);
	*name = path + (slash - part) + 1;
	return fd;
}

/* A descriptor of the folder itself, made if need be.  -1 with errno. */
static int open_folder(const char *path, bool *made)
{
	const char *name;
	int up = open_parent(path, &name), fd, err;

	if (up < 0)
		return -1;
	*made = *name && mkdirat(up, name, 0700) == 0;
	fd = openat(up, *name ? name : ".",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	err = errno;
	if (*made)
		fsync(up);	/* not everywhere possible: EINVAL */
	close(up);
	errno = err;
	return fd;
}

/*
 * Owner and mode, where they differ.  In a user namespace that does not know
 * the number (EINVAL), or without the right to give files away (EPERM), the
 * folder becomes root's, and so do those after it.
 */
static int adjust(struct setup *s, int fd, const struct stat *st, uid_t uid,
		  gid_t gid, mode_t mode)
{
	char why[sizeof s->why];

	if ((st->st_uid != uid || st->st_gid != gid) &&
	    fchown(fd, uid, gid) != 0) {
		if (!s->ready || (errno != EINVAL && errno != EPERM))
			return -1;
		snprintf(why, sizeof why, "files cannot be given to uid %u and "
			 "gid %u here: %s", (unsigned)uid, (unsigned)gid,
			 strerror(errno));
		give_way(s, why);
		return adjust(s, fd, st, 0, 0, mode);
	}
	/* chown clears the bits above 0777. */
	return fchmod(fd, mode);
}

/* What is in it, by a descriptor of its own.  NULL: it cannot be read. */
static DIR *list(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* Files that came from a host with other numbers, or from before --setup,
 * would be closed to the queue run. */
static void regroup(struct setup *s, int dir, const char *path)
{
	DIR *d = list(dir);
	const struct dirent *e;
	unsigned changed = 0;
	struct stat st;
	int fd;

	while (d && (e = readdir(d)) != NULL) {
		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode) || st.st_gid == s->who.gid)
			continue;
		fd = openat(dir, e->d_name, O_RDONLY | O_NOFOLLOW |
			    O_NONBLOCK | O_CLOEXEC);
		/* A second name could be anybody's file. */
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_nlink == 1 &&
		    fchown(fd, (uid_t)-1, s->who.gid) == 0)
			changed++;
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
	if (changed > 0)
		say("corrected the group of %u file%s in %s", changed,
		    changed > 1 ? "s" : "", path);
}

static void say_folder(const char *path, const struct stat *was, int fd,
		       bool made)
{
	struct owner a = owner(was->st_uid, was->st_gid, was->st_mode), b;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return;
	b = owner(st.st_uid, st.st_gid, st.st_mode);
	if (made)
		say("made %s (%s)", path, b.text);
	else
		say("corrected %s: was %s, is %s", path, a.text, b.text);
}

/* The next name in it that is not the folder's own or its parent's; NULL at the
 * end. */
static const char *next_name(DIR *d)
{
	const struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			return e->d_name;
	return NULL;
}

/* One that cannot be read is not empty. */
static bool is_empty(int dir)
{
	DIR *d = list(dir);
	bool empty = d && !next_name(d);

	if (d)
		closedir(d);
	return empty;
}

/* Folders of ours hold files.  One with folders in it, such as / or /home, was
 * named by mistake, and to close it would close more than mail. */
static bool has_folders(int dir)
{
	DIR *d = list(dir);
	const char *name;
	bool found = false;
	struct stat st;

	while (!found && (name = next_name(d)) != NULL)
		found = strcmp(name, "lost+found") != 0 &&
			fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(st.st_mode);
	if (d)
		closedir(d);
	return found;
}

static void settle_folder(struct setup *s, const struct folder *f, int fd,
			  bool made, const char *path)
{
	bool ours = s->ready && (f->flags & OURS);
	uid_t uid = ours ? s->who.uid : 0;
	gid_t gid = ours ? s->who.gid : 0;
	struct stat st;

	if (fstat(fd, &st) != 0) {
		failed(s, "look at", path);
		return;
	}
	/* /tmp and its like are not ours to close.  An empty one may be the
	 * volume of a container, which is mounted so. */
	if ((st.st_mode & 01007) == 01007 && !is_empty(fd)) {
		complain("%s is a folder of everybody's: give mailroot one of "
			 "its own", path);
		s->status = EXIT_CANTCREAT;
		return;
	}
	/* The administrator has given Drop to its readers. */
	if ((f->flags & READERS) && !made && st.st_gid != 0 &&
	    getgrgid(st.st_gid))
		gid = st.st_gid;
	if (st.st_uid != uid || st.st_gid != gid ||
	    (st.st_mode & 07777) != f->mode) {
		if ((f->flags & OURS) && !made && has_folders(fd)) {
			complain("%s has other folders in it and is not "
				 "touched: give mailroot one of its own", path);
			s->status = EXIT_CANTCREAT;
			return;
		}
		if (adjust(s, fd, &st, uid, gid, f->mode) != 0) {
			failed(s, "set owner and mode of", path);
			return;
		}
		fsync(fd);
		say_folder(path, &st, fd, made);
	}
	if (s->ready && (f->flags & KEPT))
		regroup(s, fd, path);
}

static void all_folders(struct setup *s)
{
	const struct folder *f;
	const char *path;
	bool made;
	int fd;

	for (f = folders; f < folders + sizeof folders / sizeof *folders; f++) {
		path = *(const char *const *)((const char *)conf() + f->at);
		fd = open_folder(path, &made);
		if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
			complain("%s, or what is above it, is no directory; a "
				 "symbolic link is not followed", path);
			s->status = EXIT_CANTCREAT;
		} else if (fd < 0) {
			failed(s, "make", path);
		} else {
			settle_folder(s, f, fd, made, path);
			close(fd);
		}
	}
}

/* ---- the settings ----------------------------------------------------------- */

struct given {
	struct setup *s;
	struct buf text, names;
	const char *password;
	bool bad;
};

/* What is written must read back as the same. */
static bool reads_back(const char *name, const char *text)
{
	struct confread_line line;
	struct buf copy;
	char *s;
	bool same;

	if (strpbrk(text, "\r\n"))
		return false;
	buf_init(&copy, CONF_VALUE_MAX);
	buf_printf(&copy, "%s = %s", name, text);
	s = xstrdup(buf_str(&copy));
	same = !copy.failed && !confread_line(s, &line) && line.key &&
	       strcmp(line.key, name) == 0 && strcmp(line.value, text) == 0;
	free(s);
	buf_free(&copy);
	return same;
}

static void put_given(void *arg, const char *name, const char *text)
{
	struct given *g = arg;

	if (strcmp(name, "RoutePassword") == 0 && *text) {
		g->password = text;
		name = "RoutePasswordFile";
		text = PATH_SECRET;
		g->bad |= strpbrk(g->password, "\r\n") != NULL;
	} else if (strcmp(name, "RoutePasswordFile") == 0 && g->password) {
		return;		/* RoutePassword counts first */
	} else {
		g->bad |= !reads_back(name, text);
	}
	if (g->bad && !g->s->status) {
		complain("the value of %s cannot stand in a line of a file",
			 name);
		g->s->status = EXIT_CONFIG;
	}
	buf_printf(&g->text, "%s = %s\n", name, text);
	buf_printf(&g->names, "%s%s", buf_len(&g->names) ? ", " : "", name);
}

/* A new file under its name, whole or not at all; one that is there stays
 * (EEXIST).  0, or -1 with errno. */
static int create(const char *path, const char *text, size_t n, gid_t gid,
		  mode_t mode)
{
	const char *name;
	char fresh[64];
	int up = open_parent(path, &name), fd, err;

	if (up < 0)
		return -1;
	snprintf(fresh, sizeof fresh, ".new-%lld", (long long)getpid());
	unlinkat(up, fresh, 0);
	fd = openat(up, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		    O_CLOEXEC, 0600);
	/* link, because rename would replace. */
	if (fd >= 0 && write_full(fd, text, n) == 0 &&
	    fchown(fd, 0, gid) == 0 && fchmod(fd, mode) == 0 &&
	    fsync(fd) == 0 && linkat(up, fresh, up, name, 0) == 0)
		errno = 0;
	err = errno;
	if (fd >= 0) {
		close(fd);
		unlinkat(up, fresh, 0);
	}
	fsync(up);
	close(up);
	errno = err;
	return err ? -1 : 0;
}

/* Before the settings, which name it. */
static void write_secret(struct setup *s, const char *password)
{
	gid_t gid = s->ready ? s->who.gid : 0;
	size_t n = strlen(password);
	char *line = xcalloc(n + 2, 1), *old;
	int status, err;

	memcpy(line, password, n);
	line[n] = '\n';
	status = create(PATH_SECRET, line, n + 1, gid, 0640);
	err = errno;
	explicit_bzero(line, n);
	free(line);
	if (status == 0) {
		say("wrote %s (root:%s 0640)", PATH_SECRET,
		    gid ? MAILROOT_GROUP : "root");
		return;
	}
	errno = err;
	if (err != EEXIST) {
		failed(s, "write", PATH_SECRET);
		return;
	}
	old = read_file(PATH_SECRET, n + 2, NULL);
	if (!old || strncmp(old, password, n) != 0 ||
	    old[n + strspn(old + n, "\r\n")] != '\0')
		say("lacking: %s was there and is kept; it is not the "
		    "RoutePassword of the environment", PATH_SECRET);
	if (old)
		explicit_bzero(old, strlen(old));
	free(old);
}

static void write_settings(struct setup *s)
{
	struct given g = { .s = s };
	struct stat st;

	if (lstat(PATH_CONF, &st) == 0)
		return;
	buf_init(&g.text, CONF_VALUE_MAX * 64);
	buf_init(&g.names, CONF_VALUE_MAX);
	conf_given(put_given, &g);
	if (!g.bad && g.password)
		write_secret(s, g.password);
	if (!g.bad && buf_len(&g.text) > 0) {
		if (create(PATH_CONF, buf_data(&g.text), buf_len(&g.text), 0,
			   0644) == 0)
			say("wrote %s: %s", PATH_CONF, buf_str(&g.names));
		else if (errno != EEXIST)
			failed(s, "write", PATH_CONF);
	}
	buf_free(&g.text);
	buf_free(&g.names);
}

/* ---- the program itself ------------------------------------------------------- */

static void set_program(struct setup *s)
{
	char path[PATH_MAX] = "the program";
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	/* The file that runs, whatever its name is by now. */
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (n > 0)
		path[n] = '\0';
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		say("lacking: the set-group-id bit of sendmail: "
		    "/proc/self/exe does not show the program");
	} else if (st.st_uid != 0 || st.st_gid != s->who.gid ||
		   (st.st_mode & 07777) != 02755) {
		if (fchown(fd, 0, s->who.gid) == 0 && fchmod(fd, 02755) == 0)
			say_folder(path, &st, fd, false);
		else
			say("lacking: the set-group-id bit of %s: %s", path,
			    strerror(errno));
	}
	if (fd >= 0)
		close(fd);
}

/* The bit may be set and still be without effect. */
static void check_program(void)
{
	struct statvfs fs;

	if (statvfs("/proc/self/exe", &fs) == 0 && (fs.f_flag & ST_NOSUID))
		say("lacking: the file system of sendmail is mounted nosuid, "
		    "so its set-group-id bit has no effect: mail of others "
		    "than root goes through Pickup");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		say("lacking: no_new_privs holds here, and whoever starts "
		    "sendmail under it has no use of the set-group-id bit: "
		    "his mail goes through Pickup");
}

/* ---- what is lacking ------------------------------------------------------------ */

static bool group_reads(const struct setup *s, const struct stat *st)
{
	return (st->st_mode & S_IROTH) ||
	       ((st->st_mode & S_IRGRP) && st->st_gid == s->who.gid);
}

/* secret: nobody else may read it. */
static void check_file(const struct setup *s, const char *path, bool secret)
{
	struct stat st;

	if (!*path)
		return;
	if (stat(path, &st) != 0)
		say("lacking: %s: %s", path, strerror(errno));
	else if (secret && (st.st_mode & S_IROTH))
		say("lacking: %s can be read by everybody: chown root:"
		    MAILROOT_GROUP ", chmod 0640", path);
	else if (s->ready && !group_reads(s, &st))
		say("lacking: %s cannot be read by group " MAILROOT_GROUP
		    ": chown root:" MAILROOT_GROUP ", chmod %s", path,
		    secret ? "0640" : "0644");
}

/* Is there a RoutePassword in this file, in or out of sections? */
static bool holds_password(const char *path)
{
	char *text = read_file(path, CONF_VALUE_MAX * 64, NULL), *line;
	char *at = text;
	struct confread_line l;
	bool found = false;

	while (text && (line = confread_next(&at)) != NULL)
		if (!confread_line(line, &l) && l.key &&
		    strcasecmp(l.key, "RoutePassword") == 0)
			found = true;
	free(text);
	return found;
}

static void check_settings(const struct setup *s, const char *conf_file)
{
	const char *file = conf_file ? conf_file : PATH_CONF;
	struct stat st;

	if (stat(file, &st) == 0) {
		check_file(s, file, false);
		if ((st.st_mode & S_IROTH) && holds_password(file))
			say("lacking: everybody can read %s: its RoutePassword "
			    "belongs into a RoutePasswordFile", file);
	}
	check_file(s, conf()->route_password_file, true);
	check_file(s, conf()->tls_key_file, true);
}

int setup(const char *conf_file)
{
	struct setup s = { .status = EXIT_OK };

	if (geteuid() != 0) {
		complain("--setup is for root: it makes a user and folders");
		return EXIT_NOPERM;
	}
	/* Once the bit is set our group is mailroot's, and what we make would
	 * be too. */
	if (setegid(getgid()) != 0) {
		complain("cannot put off the group: %s", strerror(errno));
		return EXIT_OSERR;
	}
	accounts(&s);
	all_folders(&s);
	if (!conf_file)
		write_settings(&s);
	check_settings(&s, conf_file);
	if (s.ready) {
		set_program(&s);
		check_program();
	} else {
		say("lacking: user and group " MAILROOT_USER ": %s", s.why);
		say("lacking: so root alone sends directly; the mail of all "
		    "others goes through Pickup, which a queue run of root "
		    "empties");
	}
	if (fflush(stdout) != 0 && !s.status)
		s.status = EXIT_IOERR;
	return s.status;
}
