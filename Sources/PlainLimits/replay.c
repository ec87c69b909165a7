#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fixed_names[fixed_tables] = {"meta", "provider_sync_state", "mailbox_labels"};
const char *const log_names[log_tables] = {
    "email_received_events", "email_change_events", "account_events", "messages", "outbox"};

long replay_seq(const replay_table *table, int row) {
    return sqlite3_value_int64(table->values[(size_t)row * table->columns]);
}

const replay_table *replay_outbox(const plain_replay *replay) { return &replay->log[log_tables - 1]; }

static int load_schema(sqlite3 *db, plain_replay *replay) {
    sqlite3_stmt *statement = NULL;
    const char *sql =
        "SELECT group_concat(sql, ';' || char(10)) FROM (SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"
        " AND name NOT LIKE 'sqlite_%' ORDER BY rowid)";
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) return 0;
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0)) {
        replay->schema = strdup((const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return replay->schema != NULL;
}

static int load_number(sqlite3 *db, const char *sql, int *number) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) return 0;
    int ok = sqlite3_step(statement) == SQLITE_ROW;
    if (ok) *number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return ok;
}

static int append_row(replay_table *table, sqlite3_stmt *statement, int *capacity) {
    if (table->count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 256;
        size_t size = (size_t)*capacity * table->columns * sizeof *table->values;
        sqlite3_value **values = realloc(table->values, size);
        if (!values) return 0;
        table->values = values;
    }
    sqlite3_value **row = table->values + (size_t)table->count * table->columns;
    for (int i = 0; i < table->columns; i++) row[i] = sqlite3_value_dup(sqlite3_column_value(statement, i));
    table->count++;
    return 1;
}

static int load_table(sqlite3 *db, const char *name, replay_table *table) {
    char sql[128];
    sqlite3_stmt *statement = NULL;
    int capacity = 0, step;
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1", name);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) return 0;
    table->name = name;
    table->columns = sqlite3_column_count(statement);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW && append_row(table, statement, &capacity)) {}
    sqlite3_finalize(statement);
    return step == SQLITE_DONE;
}

static int find_columns(sqlite3 *db, plain_replay *replay) {
    sqlite3_stmt *statement = NULL;
    replay->subject = replay->msg_id = replay->payload = -1;
    if (sqlite3_prepare_v2(db, "SELECT * FROM outbox", -1, &statement, NULL) != SQLITE_OK) return 0;
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        const char *name = sqlite3_column_name(statement, i);
        if (strcmp(name, "subject") == 0) replay->subject = i;
        if (strcmp(name, "msg_id") == 0) replay->msg_id = i;
        if (strcmp(name, "payload") == 0) replay->payload = i;
    }
    sqlite3_finalize(statement);
    return replay->subject >= 0 && replay->msg_id >= 0 && replay->payload >= 0;
}

static int load_tables(sqlite3 *db, plain_replay *replay) {
    for (int i = 0; i < fixed_tables; i++) {
        if (!load_table(db, fixed_names[i], &replay->fixed[i])) return 0;
    }
    for (int i = 0; i < log_tables; i++) {
        if (!load_table(db, log_names[i], &replay->log[i])) return 0;
    }
    const replay_table *outbox = replay_outbox(replay);
    replay->last_seq = outbox->count > 0 ? replay_seq(outbox, outbox->count - 1) : 0;
    return find_columns(db, replay);
}

plain_replay *plain_replay_load(const char *path, char *error) {
    sqlite3 *db = NULL;
    plain_replay *replay = calloc(1, sizeof *replay);
    int ok = replay && sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK
        && load_number(db, "PRAGMA application_id", &replay->application_id)
        && load_number(db, "PRAGMA user_version", &replay->user_version) && load_schema(db, replay) && load_tables(db, replay);
    if (!ok) plain_describe(error, path, db ? sqlite3_errmsg(db) : "out of memory");
    sqlite3_close(db);
    if (ok && replay_outbox(replay)->count == replay->last_seq) return replay;
    plain_describe(error, path, "the outbox does not hold every event");
    plain_replay_free(replay);
    return NULL;
}

static void free_table(replay_table *table) {
    for (size_t i = 0; i < (size_t)table->count * table->columns; i++) sqlite3_value_free(table->values[i]);
    free(table->values);
}

void plain_replay_free(plain_replay *replay) {
    if (!replay) return;
    for (int i = 0; i < fixed_tables; i++) free_table(&replay->fixed[i]);
    for (int i = 0; i < log_tables; i++) free_table(&replay->log[i]);
    free(replay->schema);
    free(replay);
}
