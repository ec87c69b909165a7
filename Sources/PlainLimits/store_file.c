#include "store_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The settings of the real store's connections.
static const char settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON; PRAGMA cache_size = -512; PRAGMA mmap_size = 0;"
    "PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY;";
static const char unwritten[] =
    "UPDATE meta SET last_seq = 0, published_seq = 0;"
    "UPDATE provider_sync_state SET stored = 0, events = 0, outbox_depth = 0;";

static int failed(store_file *file, const char *what) {
    plain_describe(file->error, what, sqlite3_errmsg(file->db));
    return 0;
}

static int execute(store_file *file, const char *sql) {
    return sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK || failed(file, "executing");
}

static int prepare(store_file *file, const char *sql, sqlite3_stmt **statement) {
    return sqlite3_prepare_v3(file->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) == SQLITE_OK
        || failed(file, sql);
}

static int run(store_file *file, sqlite3_stmt *statement) {
    int ok = sqlite3_step(statement) == SQLITE_DONE;
    if (!ok) failed(file, sqlite3_sql(statement));
    sqlite3_reset(statement);
    return ok;
}

static int prepare_insert(store_file *file, const replay_table *table, sqlite3_stmt **statement) {
    char sql[256];
    int length = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?", table->name);
    for (int i = 1; i < table->columns && length < 200; i++) length += sprintf(sql + length, ", ?");
    snprintf(sql + length, sizeof sql - (size_t)length, ")");
    return prepare(file, sql, statement);
}

static int insert_row(store_file *file, sqlite3_stmt *statement, const replay_table *table, int row) {
    sqlite3_value **values = table->values + (size_t)row * table->columns;
    for (int i = 0; i < table->columns; i++) sqlite3_bind_value(statement, i + 1, values[i]);
    return run(file, statement);
}

static int mark(store_file *file) {
    char sql[128];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", file->replay->application_id,
             file->replay->user_version);
    return execute(file, sql);
}

static int write_fixed(store_file *file) {
    for (int i = 0; i < fixed_tables; i++) {
        const replay_table *table = &file->replay->fixed[i];
        sqlite3_stmt *statement = NULL;
        int ok = prepare_insert(file, table, &statement);
        for (int row = 0; ok && row < table->count; row++) ok = insert_row(file, statement, table, row);
        sqlite3_finalize(statement);
        if (!ok) return 0;
    }
    return execute(file, unwritten);
}

static int prepare_all(store_file *file) {
    for (int i = 0; i < log_tables; i++) {
        if (!prepare_insert(file, &file->replay->log[i], &file->insert[i])) return 0;
    }
    return prepare(file, "BEGIN IMMEDIATE", &file->begin) && prepare(file, "COMMIT", &file->commit)
        && prepare(file, "UPDATE provider_sync_state SET stored = ?1, events = ?1, outbox_depth = outbox_depth + ?2,"
                         " updated_at = updated_at", &file->progress)
        && prepare(file, "UPDATE provider_sync_state SET cursor = cursor, phase = phase", &file->cursor)
        && prepare(file, "UPDATE meta SET last_seq = ?1, owner_epoch = owner_epoch", &file->sequence)
        && prepare(file, "SELECT subject, msg_id, payload FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2", &file->claim)
        && prepare(file, "UPDATE provider_sync_state SET outbox_depth = outbox_depth - ?1", &file->depth)
        && prepare(file, "DELETE FROM outbox WHERE id <= ?1", &file->prune)
        && prepare(file, "UPDATE meta SET published_seq = ?1, stream_sequence = ?1, confirmed_at = 1", &file->published);
}

int store_file_open(store_file *file, const plain_replay *replay, const char *directory, int number) {
    char path[1024];
    snprintf(path, sizeof path, "%s/plain-%d.db", directory, number);
    memset(file, 0, sizeof *file);
    file->replay = replay;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &file->db, flags, NULL) != SQLITE_OK) return failed(file, path);
    return execute(file, settings) && execute(file, "BEGIN IMMEDIATE") && execute(file, replay->schema)
        && mark(file) && write_fixed(file) && execute(file, "COMMIT") && prepare_all(file);
}

int store_file_all_written(const store_file *file) { return file->written == file->replay->last_seq; }

static int insert_until(store_file *file, int log, long last) {
    const replay_table *table = &file->replay->log[log];
    int *next = &file->next[log];
    for (; *next < table->count && replay_seq(table, *next) <= last; ++*next) {
        if (!insert_row(file, file->insert[log], table, *next)) return 0;
    }
    return 1;
}

static int update(store_file *file, sqlite3_stmt *statement, long first, long second) {
    sqlite3_bind_int64(statement, 1, first);
    if (sqlite3_bind_parameter_count(statement) > 1) sqlite3_bind_int64(statement, 2, second);
    return run(file, statement);
}

int store_file_write(store_file *file, int batch) {
    long last = file->written + batch;
    if (last > file->replay->last_seq) last = file->replay->last_seq;
    if (!run(file, file->begin)) return 0;
    // Row by row over all tables, as events come one after the other.
    for (long seq = file->written + 1; seq <= last; seq++) {
        for (int i = 0; i < log_tables; i++) {
            if (!insert_until(file, i, seq)) return 0;
        }
    }
    int ok = update(file, file->progress, last, last - file->written) && run(file, file->cursor)
        && update(file, file->sequence, last, 0) && run(file, file->commit);
    file->written = last;
    return ok;
}

static char *copied(sqlite3_stmt *statement, int column, int *size) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    *size = sqlite3_column_bytes(statement, column);
    char *copy = malloc((size_t)*size + 1);
    if (copy) memcpy(copy, text ? text : "", (size_t)*size + 1);
    return copy;
}

int store_file_claim(store_file *file, long after, parcel *parcels, int max) {
    int count = 0, size, step;
    sqlite3_bind_int64(file->claim, 1, after);
    sqlite3_bind_int(file->claim, 2, max);
    while ((step = sqlite3_step(file->claim)) == SQLITE_ROW) {
        parcel *parcel = &parcels[count++];
        parcel->subject = copied(file->claim, 0, &size);
        parcel->msg_id = copied(file->claim, 1, &size);
        parcel->payload = copied(file->claim, 2, &parcel->size);
    }
    sqlite3_reset(file->claim);
    if (step != SQLITE_DONE) failed(file, "reading the outbox");
    return step == SQLITE_DONE ? count : -1;
}

int store_file_confirm(store_file *file, long seq) {
    int ok = run(file, file->begin) && update(file, file->depth, seq - file->confirmed, 0)
        && update(file, file->prune, seq, 0) && update(file, file->published, seq, 0) && run(file, file->commit);
    file->confirmed = seq;
    return ok;
}

void store_file_close(store_file *file) {
    sqlite3_stmt *statement;
    while (file->db && (statement = sqlite3_next_stmt(file->db, NULL)) != NULL) sqlite3_finalize(statement);
    sqlite3_close(file->db);
}

void parcels_free(parcel *parcels, int count) {
    for (int i = 0; i < count; i++) {
        free((char *)parcels[i].subject);
        free((char *)parcels[i].msg_id);
        free((char *)parcels[i].payload);
    }
}
