#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"

// How many rows are read from the outbox and confirmed at once, as the dispatcher's chunks.
enum { claim_max = 100 };

static long total(plain_replay **users, int count) {
    long messages = 0;
    for (int i = 0; i < count; i++) messages += replay_outbox(users[i])->count;
    return messages;
}

// The files of a measurement, and the threads that share them.
typedef struct {
    store_file *files;
    long *claimed;  // the last event number handed to the lanes, by file
    int count, batch, threads;
    lanes *lanes;  // NULL: only write
} program;

typedef struct {
    program *program;
    int number;
    int failed;
} worker;

static int open_files(program *program, plain_replay **users, int count, const char *directory, char *error) {
    program->files = calloc((size_t)count, sizeof *program->files);
    program->claimed = calloc((size_t)count, sizeof *program->claimed);
    for (int i = 0; i < count; i++) {
        program->count = i + 1;
        if (store_file_open(&program->files[i], users[i], directory, i)) continue;
        plain_describe(error, "opening", program->files[i].error);
        return 0;
    }
    return 1;
}

static void close_files(program *program, char *error) {
    for (int i = 0; i < program->count; i++) {
        if (program->files[i].error[0]) plain_describe(error, "writing", program->files[i].error);
        store_file_close(&program->files[i]);
    }
    free(program->files);
    free(program->claimed);
}

// Hands the next rows of the outbox to the file's lane.
static int claim(program *program, int number) {
    store_file *file = &program->files[number];
    parcel *parcels = calloc(claim_max, sizeof *parcels);
    int count = store_file_claim(file, program->claimed[number], parcels, claim_max);
    if (count <= 0) {
        free(parcels);
        return 0;
    }
    program->claimed[number] += count;
    shipment shipment = {.parcels = parcels, .count = count, .is_owned = 1, .last_seq = program->claimed[number]};
    lanes_offer(program->lanes, number, shipment);
    return 1;
}

// Keeps the file's lane supplied and confirms what it has finished. Returns 0 when there was nothing to do.
static int dispatch(program *program, int number) {
    store_file *file = &program->files[number];
    long finished;
    int queued, did = 0;
    lanes_look(program->lanes, number, &finished, &queued);
    for (; queued < shipments_max && program->claimed[number] < file->written && claim(program, number); queued++) {
        did = 1;
    }
    if (finished > file->confirmed) did = store_file_confirm(file, finished);
    return did;
}

static int is_done(const program *program, const store_file *file) {
    return store_file_all_written(file) && (!program->lanes || file->confirmed == file->replay->last_seq);
}

// One round over the worker's files: a transaction of each. Returns how many did something, or -1.
static int work_round(worker *worker, int *left) {
    program *program = worker->program;
    int did = 0;
    *left = 0;
    for (int i = worker->number; i < program->count; i += program->threads) {
        store_file *file = &program->files[i];
        if (program->lanes) did += dispatch(program, i);
        if (!store_file_all_written(file)) did += store_file_write(file, program->batch);
        if (file->error[0]) return -1;
        *left += !is_done(program, file);
    }
    return did;
}

static void *work(void *argument) {
    worker *worker = argument;
    lanes *lanes = worker->program->lanes;
    int left = 1;
    while (left > 0 && !worker->failed) {
        long seen = lanes ? lanes_finished(lanes) : 0;
        int did = work_round(worker, &left);
        worker->failed = did < 0 || (lanes && left > 0 && did == 0 && !lanes_wait(lanes, seen));
    }
    return NULL;
}

static double run_workers(program *program) {
    worker workers[16];
    pthread_t threads[16];
    double start = plain_now();
    if (program->threads > 16) program->threads = 16;
    for (int i = 0; i < program->threads; i++) {
        workers[i] = (worker){.program = program, .number = i};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < program->threads; i++) pthread_join(threads[i], NULL);
    return plain_now() - start;
}

plain_result plain_store_limit(plain_replay **users, int count, const char *directory, int batch, int threads) {
    program program = {.batch = batch, .threads = threads};
    plain_result result = {.messages = total(users, count)};
    if (open_files(&program, users, count, directory, result.error)) result.seconds = run_workers(&program);
    close_files(&program, result.error);
    return result;
}

plain_result plain_combined_limit(
    plain_replay **users, int count, const char *directory, const char *url, int batch, int threads) {
    lanes lanes;
    program program = {.batch = batch, .threads = threads, .lanes = &lanes};
    plain_result result = {.messages = total(users, count)};
    if (!lanes_open(&lanes, count, url)) plain_describe(result.error, "lanes", lanes.error);
    else if (open_files(&program, users, count, directory, result.error)) result.seconds = run_workers(&program);
    lanes_close(&lanes);
    if (lanes.error[0]) plain_describe(result.error, "lanes", lanes.error);
    close_files(&program, result.error);
    return result;
}

// Every message of a user as one shipment.
static shipment everything(const plain_replay *replay) {
    const replay_table *outbox = replay_outbox(replay);
    shipment shipment = {.count = outbox->count, .is_owned = 0, .last_seq = replay->last_seq};
    shipment.parcels = calloc((size_t)outbox->count, sizeof *shipment.parcels);
    for (int row = 0; row < outbox->count; row++) {
        sqlite3_value **values = outbox->values + (size_t)row * outbox->columns;
        parcel *parcel = &shipment.parcels[row];
        parcel->subject = (const char *)sqlite3_value_text(values[replay->subject]);
        parcel->msg_id = (const char *)sqlite3_value_text(values[replay->msg_id]);
        parcel->payload = (const char *)sqlite3_value_text(values[replay->payload]);
        parcel->size = sqlite3_value_bytes(values[replay->payload]);
    }
    return shipment;
}

plain_result plain_publish_limit(plain_replay **users, int count, const char *url) {
    lanes lanes;
    plain_result result = {.messages = total(users, count)};
    shipment *shipments = calloc((size_t)count, sizeof *shipments);
    for (int i = 0; i < count; i++) shipments[i] = everything(users[i]);
    if (lanes_open(&lanes, count, url)) {
        double start = plain_now();
        for (int i = 0; i < count; i++) lanes_offer(&lanes, i, shipments[i]);
        long finished = 0;
        while (finished < count && lanes_wait(&lanes, finished)) finished = lanes_finished(&lanes);
        result.seconds = plain_now() - start;
    }
    lanes_close(&lanes);
    if (lanes.error[0]) plain_describe(result.error, "lanes", lanes.error);
    for (int i = 0; i < count; i++) free(shipments[i].parcels);
    free(shipments);
    return result;
}

const char *plain_sqlite_version(void) { return sqlite3_libversion(); }
const char *plain_nats_version(void) { return nats_GetVersion(); }
