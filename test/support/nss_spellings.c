/* A module of nsswitch.conf(5) that knows users as a directory service does: in any case, and by further names. It has a group, and is silent
   about groups while there is a file for that. */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct {
  const char *names[4]; /* The first is what it calls the account. */
  uid_t uid;
  const char *home;
} accounts[] = {
  {{"adbob", "adbob@corp.example", "CORP\\adbob"}, 3001, "/home/u3001"},
  {{"adann@corp.example", "CORP\\adann"}, 3002, "/home/u3002"},
  {{"CORP\\wsam"}, 3003, "/home/u3003"},
  {{"20231234"}, 3004, "/home/u3004"},
  {{"CORP\\jo doe"}, 3005, "/home/u3005"},
  {{"jos\xc3\xa9"}, 3006, "/home/u3006"},
};
enum { COUNT = sizeof accounts / sizeof *accounts };

static char *put(char **at, const char *text) {
  char *start = *at;
  strcpy(start, text);
  *at += strlen(text) + 1;
  return start;
}

static enum nss_status fill(unsigned i, struct passwd *entry, char *buffer, size_t length, int *error) {
  if (length < 256) {
    *error = ERANGE;
    return NSS_STATUS_TRYAGAIN;
  }
  entry->pw_name = put(&buffer, accounts[i].names[0]);
  entry->pw_passwd = put(&buffer, "*");
  entry->pw_gecos = put(&buffer, "");
  entry->pw_dir = put(&buffer, accounts[i].home);
  entry->pw_shell = put(&buffer, "/bin/bash");
  entry->pw_uid = entry->pw_gid = accounts[i].uid;
  return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_spellings_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t length, int *error) {
  for (unsigned i = 0; i < COUNT; i++)
    for (unsigned j = 0; j < 4 && accounts[i].names[j]; j++)
      if (!strcasecmp(name, accounts[i].names[j])) return fill(i, entry, buffer, length, error);
  return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_spellings_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t length, int *error) {
  for (unsigned i = 0; i < COUNT; i++)
    if (accounts[i].uid == uid) return fill(i, entry, buffer, length, error);
  return NSS_STATUS_NOTFOUND;
}

/* The group "contractors", with adbob in it. Its entry names no member while there is a file for that. */
enum { CONTRACTORS = 3900 };

static int names_nobody(void) { return access("/run/nss-no-members", F_OK) == 0; }

static int is_silent(void) { return access("/run/nss-silent", F_OK) == 0; }

static enum nss_status fill_group(int is_it, struct group *entry, char *buffer, size_t length, int *error) {
  static char *nobody[] = {0}, *adbob[] = {"adbob", 0};
  if (is_silent()) {
    *error = ECONNREFUSED;
    return NSS_STATUS_UNAVAIL;
  }
  if (!is_it) return NSS_STATUS_NOTFOUND;
  if (length < 256) {
    *error = ERANGE;
    return NSS_STATUS_TRYAGAIN;
  }
  entry->gr_name = put(&buffer, "contractors");
  entry->gr_passwd = put(&buffer, "*");
  entry->gr_gid = CONTRACTORS;
  entry->gr_mem = names_nobody() ? nobody : adbob;
  return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_spellings_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t length, int *error) {
  return fill_group(!strcmp(name, "contractors"), entry, buffer, length, error);
}

enum nss_status _nss_spellings_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t length, int *error) {
  return fill_group(gid == CONTRACTORS, entry, buffer, length, error);
}

enum nss_status _nss_spellings_initgroups_dyn(const char *user, gid_t group, long *start, long *size, gid_t **gids, long limit, int *error) {
  (void)group, (void)limit;
  if (is_silent()) {
    *error = ECONNREFUSED;
    return NSS_STATUS_UNAVAIL;
  }
  if (strcmp(user, "adbob")) return NSS_STATUS_NOTFOUND;
  if (*start == *size) *gids = realloc(*gids, (size_t)(*size *= 2) * sizeof **gids);
  (*gids)[(*start)++] = CONTRACTORS;
  return NSS_STATUS_SUCCESS;
}
