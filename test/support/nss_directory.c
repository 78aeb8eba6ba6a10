/* A module of nsswitch.conf(5) that has groups as a directory service does, from /etc/directory/group (NAME:GID:MEMBER,...). Files beside that
   make it fail: "down": it answers nothing; "noinit": it answers about groups, and not about a user's; "flap": each answer is lost as often as
   not; "slow": a gid takes that many milliseconds. */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/etc/directory/"

static int has(const char *name) {
  char path[64];
  snprintf(path, sizeof path, FOLDER "%s", name);
  return access(path, F_OK) == 0;
}

static int is_away(void) {
  unsigned char byte = 0;
  if (has("flap") && getentropy(&byte, 1)) return 1;
  return has("down") || byte % 2;
}

/* Splits a line into its three fields. */
static int split(char *line, char *field[3]) {
  line[strcspn(line, "\n")] = 0;
  for (int i = 0; i < 3; i++) field[i] = strsep(&line, ":");
  return field[2] != NULL;
}

static int is_listed(const char *user, char *members) {
  for (char *name; (name = strsep(&members, ","));)
    if (!strcmp(name, user)) return 1;
  return 0;
}

static enum nss_status find(const char *name, gid_t gid, struct group *entry, char *buffer, size_t length, int *error) {
  static char *nobody[] = {0};
  char line[4096], *field[3];
  FILE *file = is_away() ? NULL : fopen(FOLDER "group", "re");
  if (!file) {
    *error = ECONNREFUSED;
    return NSS_STATUS_UNAVAIL;
  }
  enum nss_status status = NSS_STATUS_NOTFOUND;
  while (status == NSS_STATUS_NOTFOUND && fgets(line, sizeof line, file)) {
    if (!split(line, field) || (name ? strcmp(name, field[0]) : strtoul(field[1], 0, 10) != gid)) continue;
    status = strlen(field[0]) < length ? NSS_STATUS_SUCCESS : NSS_STATUS_TRYAGAIN;
    *error = ERANGE;
    if (status != NSS_STATUS_SUCCESS) break;
    entry->gr_name = entry->gr_passwd = strcpy(buffer, field[0]);
    entry->gr_gid = strtoul(field[1], 0, 10);
    entry->gr_mem = nobody;
  }
  fclose(file);
  return status;
}

enum nss_status _nss_directory_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t length, int *error) {
  return find(name, 0, entry, buffer, length, error);
}

enum nss_status _nss_directory_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t length, int *error) {
  char text[16] = "";
  FILE *file = fopen(FOLDER "slow", "re");
  if (file && fgets(text, sizeof text, file)) usleep(1000 * strtoul(text, 0, 10));
  if (file) fclose(file);
  return find(0, gid, entry, buffer, length, error);
}

enum nss_status _nss_directory_initgroups_dyn(const char *user, gid_t group, long *start, long *size, gid_t **gids, long limit, int *error) {
  char line[4096], *field[3];
  (void)limit;
  FILE *file = is_away() || has("noinit") ? NULL : fopen(FOLDER "group", "re");
  if (!file) {
    *error = ECONNREFUSED;
    return NSS_STATUS_UNAVAIL;
  }
  int found = 0;
  while (fgets(line, sizeof line, file)) {
    if (!split(line, field) || !is_listed(user, field[2])) continue;
    found = 1;
    gid_t gid = strtoul(field[1], 0, 10);
    if (gid == group) continue;
    if (*start == *size) *gids = realloc(*gids, (size_t)(*size *= 2) * sizeof **gids);
    (*gids)[(*start)++] = gid;
  }
  fclose(file);
  return found ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}
