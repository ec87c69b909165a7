// What SQLite, JetStream and libcurl do at best on this machine: plain C programs that move the same rows and the same
// payloads as mailsync, with nothing around them. Benchmarks are read as ratios to these.
#ifndef PLAIN_LIMITS_H
#define PLAIN_LIMITS_H

// The rows of one user's store, held in memory to be written and published again.
typedef struct plain_replay plain_replay;

// How a measurement ended. `error` is empty when it went well.
typedef struct {
    double seconds;
    long messages;
    char error[256];
} plain_result;

// Loads every logged event of the store at `path`, whose outbox must still hold all of them. On failure returns NULL
// and describes it in `error` (256 bytes).
plain_replay *plain_replay_load(const char *path, char *error);
void plain_replay_free(plain_replay *replay);

// Writes the rows of `count` users into fresh files under `directory`, one file per user, `batch` events per
// transaction, with as many threads as given.
plain_result plain_store_limit(plain_replay **users, int count, const char *directory, int batch, int threads);

// Publishes the payloads of `count` users to JetStream at `url`, one message in flight per user.
plain_result plain_publish_limit(plain_replay **users, int count, const char *url);

// Both at once, tied by the outbox: rows are written, read back in order, published, and deleted when acknowledged.
plain_result plain_combined_limit(
    plain_replay **users, int count, const char *directory, const char *url, int batch, int threads);

// One POST request of the fetch limit.
typedef struct {
    const char *url;
    const char *authorization;  // a whole header line
    const char *content_type;   // a whole header line
    const char *body;
    long size;
} plain_post;

// Sends `count` POST requests, `in_flight` at a time, over HTTP/1.1 with connections kept open, and drops the answers. `messages` of
// the result counts requests answered with 200.
plain_result plain_fetch_limit(const plain_post *posts, int count, int in_flight);

// Versions of the libraries, as they report them at run time.
const char *plain_sqlite_version(void);
const char *plain_nats_version(void);
const char *plain_curl_version(void);

#endif
