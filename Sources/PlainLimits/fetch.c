#include <curl/curl.h>
#include <string.h>

#include "failure.h"

enum { in_flight_max = 64 };

typedef struct {
    CURL *easy;
    struct curl_slist *headers;
} slot;

typedef struct {
    const plain_post *posts;
    int count, next, running;
    CURLM *multi;
    plain_result result;
} fetch;

static size_t drop(char *data, size_t size, size_t count, void *closure) {
    (void)data;
    (void)closure;
    return size * count;
}

static void start(fetch *fetch, slot *slot) {
    const plain_post *post = &fetch->posts[fetch->next++];
    if (!slot->easy) slot->easy = curl_easy_init();
    curl_slist_free_all(slot->headers);
    slot->headers = curl_slist_append(NULL, post->authorization);
    slot->headers = curl_slist_append(slot->headers, post->content_type);
    slot->headers = curl_slist_append(slot->headers, "Expect:");
    curl_easy_setopt(slot->easy, CURLOPT_URL, post->url);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE, post->size);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(slot->easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(slot->easy, CURLOPT_NOPROXY, "*");
    curl_multi_add_handle(fetch->multi, slot->easy);
    fetch->running++;
}

// Takes finished requests and starts further ones in their place.
static void collect(fetch *fetch) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        slot *slot = NULL;
        long status = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        if (status == 200) fetch->result.messages++;
        else plain_describe(fetch->result.error, "fetching", curl_easy_strerror(message->data.result));
        curl_multi_remove_handle(fetch->multi, slot->easy);
        fetch->running--;
        if (fetch->next < fetch->count) start(fetch, slot);
    }
}

plain_result plain_fetch_limit(const plain_post *posts, int count, int in_flight) {
    slot slots[in_flight_max] = {0};
    fetch fetch = {.posts = posts, .count = count, .multi = curl_multi_init()};
    double began = plain_now();
    if (in_flight > in_flight_max) in_flight = in_flight_max;
    for (int i = 0; i < in_flight && fetch.next < count; i++) start(&fetch, &slots[i]);
    while (fetch.running > 0) {
        int active;
        curl_multi_perform(fetch.multi, &active);
        collect(&fetch);
        if (fetch.running > 0) curl_multi_poll(fetch.multi, NULL, 0, 1000, NULL);
    }
    fetch.result.seconds = plain_now() - began;
    for (int i = 0; i < in_flight; i++) {
        curl_easy_cleanup(slots[i].easy);
        curl_slist_free_all(slots[i].headers);
    }
    curl_multi_cleanup(fetch.multi);
    return fetch.result;
}

const char *plain_curl_version(void) { return curl_version_info(CURLVERSION_NOW)->version; }
