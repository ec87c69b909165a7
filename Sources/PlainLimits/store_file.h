// One user's file, written from a replay as the real store writes it.
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "replay.h"

typedef struct {
    const plain_replay *replay;
    sqlite3 *db;
    sqlite3_stmt *insert[log_tables];
    sqlite3_stmt *begin, *commit, *progress, *cursor, *sequence, *claim, *depth, *prune, *published;
    int next[log_tables];  // the first row of each table that is not written
    long written;          // the last event number written
    long confirmed;        // the last event number confirmed
    char error[256];
} store_file;

// What the publisher takes of an outbox row. The texts end with a NUL byte.
typedef struct {
    const char *subject, *msg_id, *payload;
    int size;  // of the payload, in bytes
} parcel;

// Makes the file with the replay's schema and settings; 0 on failure, as all of these.
int store_file_open(store_file *file, const plain_replay *replay, const char *directory, int number);
int store_file_all_written(const store_file *file);
// Writes the next `batch` events in one transaction.
int store_file_write(store_file *file, int batch);
// Reads up to `max` rows of the outbox after event `after`, in order. The texts are copies: free them with
// `parcels_free`. Returns how many, or -1.
int store_file_claim(store_file *file, long after, parcel *parcels, int max);
// Deletes the rows up to event `seq` from the outbox and records the progress, in one transaction.
int store_file_confirm(store_file *file, long seq);
void store_file_close(store_file *file);

void parcels_free(parcel *parcels, int count);

#endif
