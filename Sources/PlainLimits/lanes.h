// Publishing for several users over one connection, one message in flight for each.
#ifndef LANES_H
#define LANES_H

#include <nats/nats.h>
#include <pthread.h>

#include "store_file.h"

enum { shipments_max = 2 };

// Messages handed over together, in order. Belongs to the lanes from the offer until it is finished.
typedef struct {
    parcel *parcels;
    int count, sent;
    int is_owned;   // the parcels are freed when they are sent
    long last_seq;  // the event number of the last parcel
} shipment;

// One user: a queue of shipments, the front one being sent.
typedef struct {
    shipment queue[shipments_max];
    int queued;
    int is_busy;    // its next message waits to be sent, or for its acknowledgement
    natsMsg *in_flight;
    long finished;  // everything up to this event number is acknowledged
} lane;

typedef struct {
    natsConnection *connection;
    jsCtx *js;
    pthread_t sender;
    int has_sender;
    pthread_mutex_t lock;
    pthread_cond_t ready_changed;     // the sender waits for it
    pthread_cond_t progress_changed;  // whoever offers shipments waits for it
    lane *all;
    int count;
    int *ready;  // a ring of lane numbers
    int ready_first, ready_count;
    long shipments_finished;
    int is_stopping;
    char error[256];
} lanes;

int lanes_open(lanes *lanes, int count, const char *url);
// Queues a shipment, which the lane must have room for.
void lanes_offer(lanes *lanes, int number, shipment shipment);
// How far a lane is, and how many shipments it holds.
void lanes_look(lanes *lanes, int number, long *finished, int *queued);
// How many shipments are finished, over all lanes.
long lanes_finished(lanes *lanes);
// Waits until more than `seen` shipments are finished. 0 when publishing has failed.
int lanes_wait(lanes *lanes, long seen);
// Ends the sender and the connection. The text of a failure stays in `error`.
void lanes_close(lanes *lanes);

#endif
