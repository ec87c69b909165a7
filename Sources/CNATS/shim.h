#include <nats/nats.h>
#include <spawn.h>

/* Starting a nats-server needs two things that the C library shows only with _GNU_SOURCE, which a module map cannot
   define: closing all inherited files in the child (glibc 2.34), and giving it a session of its own. */
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
static const short spawn_new_session = 0x80; /* POSIX_SPAWN_SETSID */
