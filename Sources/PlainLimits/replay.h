// A user's rows in memory.
#ifndef REPLAY_H
#define REPLAY_H

#include <sqlite3.h>

#include "failure.h"

enum { fixed_tables = 3, log_tables = 5 };

// All rows of one table, in the order of its first column (an event number in the tables of the log).
typedef struct {
    const char *name;
    int columns;
    int count;
    sqlite3_value **values;  // count * columns
} replay_table;

struct plain_replay {
    char *schema;                      // the script that makes the tables
    int application_id, user_version;  // how the file says whose it is
    replay_table fixed[fixed_tables];  // written once, when the file is made
    replay_table log[log_tables];      // written in batches of event numbers
    int subject, msg_id, payload;      // these columns' places in the outbox
    long last_seq;
};

// Names, in the order of `fixed` and `log`; the outbox is the last of the log.
extern const char *const fixed_names[fixed_tables];
extern const char *const log_names[log_tables];

// The event number of a row.
long replay_seq(const replay_table *table, int row);
// The rows of the outbox.
const replay_table *replay_outbox(const plain_replay *replay);

#endif
