#include "lanes.h"

#include <stdlib.h>
#include <string.h>

// How long one acknowledgement may take, in milliseconds.
enum { answer_timeout_ms = 10000 };

static void fail(lanes *lanes, const char *what, const char *detail) {
    plain_describe(lanes->error, what, detail);
    pthread_cond_broadcast(&lanes->progress_changed);
}

// With the lock held: the lane's next message may go out.
static void make_ready(lanes *lanes, lane *lane) {
    if (lane->is_busy || lane->queued == 0) return;
    lane->is_busy = 1;
    lanes->ready[(lanes->ready_first + lanes->ready_count++) % lanes->count] = (int)(lane - lanes->all);
    pthread_cond_signal(&lanes->ready_changed);
}

// With the lock held: the front message of the lane is acknowledged.
static void advance(lanes *lanes, lane *lane) {
    shipment *front = &lane->queue[0];
    if (++front->sent < front->count) return;
    lane->finished = front->last_seq;
    if (front->is_owned) {
        parcels_free(front->parcels, front->count);
        free(front->parcels);
    }
    memmove(front, front + 1, sizeof *front * (size_t)(--lane->queued));
    lanes->shipments_finished++;
    pthread_cond_broadcast(&lanes->progress_changed);
}

// Called on a thread of the library: hands over, and publishes nothing itself.
static void acknowledged(jsCtx *js, natsMsg *message, jsPubAck *answer, jsPubAckErr *failure, void *closure) {
    (void)js;
    lanes *lanes = closure;
    pthread_mutex_lock(&lanes->lock);
    if (failure) fail(lanes, "publishing", failure->ErrText);
    if (answer && answer->Duplicate) fail(lanes, "publishing", "the stream has this message already");
    for (int i = 0; i < lanes->count; i++) {
        lane *lane = &lanes->all[i];
        if (lane->in_flight != message) continue;
        lane->in_flight = NULL;
        lane->is_busy = 0;
        advance(lanes, lane);
        make_ready(lanes, lane);
        break;
    }
    pthread_mutex_unlock(&lanes->lock);
    natsMsg_Destroy(message);
}

// With the lock held; gives it up while the message is sent.
static natsStatus publish(lanes *lanes, lane *lane, const parcel *parcel) {
    natsMsg *message = NULL;
    jsPubOptions options;
    natsStatus status = natsMsg_Create(&message, parcel->subject, NULL, parcel->payload, parcel->size);
    if (status != NATS_OK) return status;
    jsPubOptions_Init(&options);
    options.MsgId = parcel->msg_id;
    options.MaxWait = answer_timeout_ms;
    // Before it is sent: the acknowledgement may be here before the call returns.
    lane->in_flight = message;
    pthread_mutex_unlock(&lanes->lock);
    status = js_PublishMsgAsync(lanes->js, &message, &options);
    pthread_mutex_lock(&lanes->lock);
    natsMsg_Destroy(message);
    return status;
}

static void send_next(lanes *lanes) {
    lane *lane = &lanes->all[lanes->ready[lanes->ready_first]];
    lanes->ready_first = (lanes->ready_first + 1) % lanes->count;
    lanes->ready_count--;
    natsStatus status = publish(lanes, lane, &lane->queue[0].parcels[lane->queue[0].sent]);
    if (status != NATS_OK) fail(lanes, "publishing", natsStatus_GetText(status));
}

static void *send_all(void *argument) {
    lanes *lanes = argument;
    pthread_mutex_lock(&lanes->lock);
    while (!lanes->is_stopping) {
        if (lanes->ready_count > 0 && lanes->error[0] == 0) send_next(lanes);
        else pthread_cond_wait(&lanes->ready_changed, &lanes->lock);
    }
    pthread_mutex_unlock(&lanes->lock);
    nats_ReleaseThreadMemory();
    return NULL;
}

static natsStatus connect_to(lanes *lanes, const char *url) {
    natsOptions *options = NULL;
    jsOptions js;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK) status = natsOptions_SetURL(options, url);
    // Without it a thread of the library collects messages for a millisecond before it writes them.
    if (status == NATS_OK) status = natsOptions_SetSendAsap(options, true);
    if (status == NATS_OK) status = natsConnection_Connect(&lanes->connection, options);
    natsOptions_Destroy(options);
    if (status != NATS_OK) return status;
    jsOptions_Init(&js);
    js.PublishAsync.AckHandler = acknowledged;
    js.PublishAsync.AckHandlerClosure = lanes;
    return natsConnection_JetStream(&lanes->js, lanes->connection, &js);
}

int lanes_open(lanes *lanes, int count, const char *url) {
    memset(lanes, 0, sizeof *lanes);
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->ready_changed, NULL);
    pthread_cond_init(&lanes->progress_changed, NULL);
    lanes->count = count;
    lanes->all = calloc((size_t)count, sizeof *lanes->all);
    lanes->ready = calloc((size_t)count, sizeof *lanes->ready);
    natsStatus status = lanes->all && lanes->ready ? connect_to(lanes, url) : NATS_NO_MEMORY;
    if (status != NATS_OK) plain_describe(lanes->error, "connecting to NATS", natsStatus_GetText(status));
    else lanes->has_sender = pthread_create(&lanes->sender, NULL, send_all, lanes) == 0;
    return lanes->has_sender;
}

void lanes_offer(lanes *lanes, int number, shipment shipment) {
    lane *lane = &lanes->all[number];
    pthread_mutex_lock(&lanes->lock);
    lane->queue[lane->queued++] = shipment;
    make_ready(lanes, lane);
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_look(lanes *lanes, int number, long *finished, int *queued) {
    pthread_mutex_lock(&lanes->lock);
    *finished = lanes->all[number].finished;
    *queued = lanes->all[number].queued;
    pthread_mutex_unlock(&lanes->lock);
}

long lanes_finished(lanes *lanes) {
    pthread_mutex_lock(&lanes->lock);
    long finished = lanes->shipments_finished;
    pthread_mutex_unlock(&lanes->lock);
    return finished;
}

int lanes_wait(lanes *lanes, long seen) {
    pthread_mutex_lock(&lanes->lock);
    while (lanes->shipments_finished <= seen && lanes->error[0] == 0) {
        pthread_cond_wait(&lanes->progress_changed, &lanes->lock);
    }
    int ok = lanes->error[0] == 0;
    pthread_mutex_unlock(&lanes->lock);
    return ok;
}

void lanes_close(lanes *lanes) {
    pthread_mutex_lock(&lanes->lock);
    lanes->is_stopping = 1;
    pthread_cond_signal(&lanes->ready_changed);
    pthread_mutex_unlock(&lanes->lock);
    if (lanes->has_sender) pthread_join(lanes->sender, NULL);
    jsCtx_Destroy(lanes->js);
    natsConnection_Destroy(lanes->connection);
    free(lanes->all);
    free(lanes->ready);
}
