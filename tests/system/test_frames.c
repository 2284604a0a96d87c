/* What comes over the socket from someone who does not mean well, or whose network loses messages:
 * the daemon answers or drops it, and goes on. */
#include "peer.h"
#include "site.h"

#include "base/random.h"
#include "base/status.h"
#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#define SUITE "frames"

/* An error reply to the frame that was sent, within the usual time. */
static void expect_error(peer *self, uint32_t status)
{
    Codesign__Reply *reply = peer_receive(self, SITE_PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
    ck_assert_uint_gt(strlen(reply->error->text), 0);
    if (status) {
        ck_assert_uint_eq(reply->error->status, status);
    }
    peer_free(reply);
}

static uint8_t *pack_ping(uint32_t version, size_t *size)
{
    cs_error error;
    Codesign__Ping ping = CODESIGN__PING__INIT;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_PING);
    request.version = version;
    request.id = 77;
    request.ping = &ping;
    uint8_t *frame = cs_wire_pack(&request.base, size, &error);
    ck_assert_ptr_nonnull(frame);
    return frame;
}

/* A submission of a short job on the server's own files, as a message on the way to being packed.
 */
typedef struct submission {
    Codesign__Request request;
    Codesign__SubmitJob submit;
    char *text;
    uint8_t key[16];
} submission;

static void submission_init(submission *self, uint8_t key)
{
    size_t size;
    self->request = peer_request(CODESIGN__REQUEST__BODY_SUBMIT_JOB);
    self->submit = (Codesign__SubmitJob)CODESIGN__SUBMIT_JOB__INIT;
    static char count[] = "evaluations=2000", batch[] = "batch=50", all[] = "keep=all";
    static char *sets[] = {count, batch, all};
    self->text = site_read(CODESIGN_SOURCE_DIR "/configs/jobs/imagenet-edge.conf", &size);
    memset(self->key, key, sizeof self->key);
    self->submit.text_name = (char *)(uintptr_t) "imagenet-edge.conf";
    self->submit.text = (ProtobufCBinaryData){size, (uint8_t *)self->text};
    self->submit.n_set = sizeof sets / sizeof sets[0];
    self->submit.set = sets;
    self->request.submit_job = &self->submit;
    self->request.has_key = true;
    self->request.key = (ProtobufCBinaryData){sizeof self->key, self->key};
}

START_TEST(test_truncated)
{
    site here;
    peer self;
    size_t size;
    site_open(&here, SUITE, "truncated");
    site_start(&here, NULL);
    peer_open(&self, ZMQ_DEALER);
    submission sent;
    submission_init(&sent, 1);
    sent.request.version = CS_WIRE_VERSION;
    sent.request.id = 5;
    cs_error error;
    uint8_t *frame = cs_wire_pack(&sent.request.base, &size, &error);
    ck_assert_ptr_nonnull(frame);
    for (size_t cut = 0; cut < size; cut += cut < 80 ? 1 : 37) {
        peer_send_bytes(&self, frame, cut, false);
        Codesign__Reply *reply = peer_receive(&self, SITE_PATIENCE_MS);
        ck_assert_msg(reply != NULL, "no reply to %d of %d bytes", (int)cut, (int)size);
        ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
        peer_free(reply);
    }
    peer_ping(&self);
    free(frame);
    free(sent.text);
    peer_close(&self);
    char *jobs = site_ask_ok("list-jobs", NULL);
    ck_assert_str_eq(jobs, "no jobs\n");
    free(jobs);
    site_close(&here);
}
END_TEST

START_TEST(test_random)
{
    site here;
    peer self;
    size_t size;
    site_open(&here, SUITE, "random");
    site_start(&here, NULL);
    peer_open(&self, ZMQ_DEALER);
    cs_random stream;
    cs_random_init(&stream, 4, 0, CS_PURPOSE_SAMPLE, 0, 0);
    uint8_t bytes[700];
    uint8_t *ping = pack_ping(CS_WIRE_VERSION, &size);
    for (int i = 0; i < 3000; i++) {
        uint32_t length = cs_random_below(&stream, sizeof bytes);
        for (uint32_t k = 0; k < length; k++) {
            bytes[k] = (uint8_t)cs_random_below(&stream, 256);
        }
        if (i % 2 && length >= size) {
            memcpy(bytes, ping, size); /* begins well, so that its rest is looked at */
        }
        peer_send_bytes(&self, bytes, length, false);
        /* Each gets one answer, whatever it is; some may well be good requests. */
        Codesign__Reply *reply = peer_receive(&self, SITE_PATIENCE_MS);
        ck_assert_ptr_nonnull(reply);
        peer_free(reply);
    }
    peer_ping(&self);
    free(ping);
    peer_close(&self);
    site_close(&here);
}
END_TEST

START_TEST(test_large_and_deep)
{
    site here;
    peer self, bystander;
    site_open(&here, SUITE, "large");
    site_start(&here, NULL);
    peer_open(&bystander, ZMQ_DEALER);

    /* Beyond the limit ZeroMQ drops the connection before anything is taken in. */
    peer_open(&self, ZMQ_DEALER);
    uint8_t *large = calloc(1, CS_WIRE_MAX_FRAME + 1);
    ck_assert_ptr_nonnull(large);
    peer_send_bytes(&self, large, CS_WIRE_MAX_FRAME + 1, false);
    peer_ping(&bystander);
    peer_close(&self);

    /* The largest allowed, all zeros; then groups (a wire type of old) and sub-messages without
     * end; then more elements than are unpacked. */
    peer_open(&self, ZMQ_DEALER);
    peer_send_bytes(&self, large, CS_WIRE_MAX_FRAME, false);
    expect_error(&self, 0);
    memset(large, 0x0b, 1 << 20); /* field 1, start of a group */
    peer_send_bytes(&self, large, 1 << 20, false);
    expect_error(&self, 0);
    uint8_t nested[4096];
    size_t at = sizeof nested;
    for (size_t inner = 0; at > 8 && inner < 2000; inner = sizeof nested - at) {
        nested[--at] = (uint8_t)(inner >> 7);
        nested[--at] = (uint8_t)(inner | 0x80);
        nested[--at] = 0x62; /* field 12, a message: get_file in get_file ... */
    }
    peer_send_bytes(&self, nested + at, sizeof nested - at, false);
    expect_error(&self, 0);
    for (size_t i = 0; i + 1 < 6 << 20; i += 2) {
        large[i] = 0x08; /* version, again and again */
        large[i + 1] = 1;
    }
    peer_send_bytes(&self, large, 6 << 20, false);
    expect_error(&self, 0);
    peer_ping(&self);
    peer_ping(&bystander);
    free(large);
    peer_close(&self);
    peer_close(&bystander);
    site_close(&here);
}
END_TEST

START_TEST(test_shape_and_version)
{
    site here;
    peer self;
    size_t size;
    site_open(&here, SUITE, "shape");
    site_start(&here, NULL);
    peer_open(&self, ZMQ_DEALER);
    uint8_t *ping = pack_ping(CS_WIRE_VERSION, &size);
    uint8_t *future;
    size_t future_size;
    future = pack_ping(CS_WIRE_VERSION + 1, &future_size);

    peer_send_bytes(&self, future, future_size, false);
    Codesign__Reply *reply = peer_receive(&self, SITE_PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->id, 77); /* who asked can tell which of its requests failed */
    ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_ERROR);
    ck_assert_uint_eq(reply->error->status, CS_EVERSION);
    peer_free(reply);

    /* Of several parts: dropped, and what follows is answered. */
    peer_send_bytes(&self, ping, size, true);
    peer_send_bytes(&self, ping, size, false);
    peer_send_bytes(&self, "", 0, true); /* as a REQ would, with its delimiter */
    peer_send_bytes(&self, ping, size, false);
    for (int i = 0; i < 40; i++) {
        peer_send_bytes(&self, "part", 4, true);
    }
    peer_send_bytes(&self, "", 0, false);
    ck_assert_ptr_null(peer_receive(&self, 300));
    peer_ping(&self);
    peer_close(&self);

    peer_open(&self, ZMQ_REQ);
    peer_send_bytes(&self, ping, size, false);
    ck_assert_ptr_null(peer_receive(&self, 300));
    peer_close(&self);

    /* A frame without a body, and a body of an unknown kind. */
    peer_open(&self, ZMQ_DEALER);
    Codesign__Request empty = CODESIGN__REQUEST__INIT;
    peer_send(&self, &empty);
    expect_error(&self, CS_EINVAL);
    peer_ping(&self);
    free(ping);
    free(future);
    peer_close(&self);
    site_close(&here);
}
END_TEST

/* Not even ZeroMQ: bytes on the bare socket. */
START_TEST(test_bare_socket)
{
    site here;
    peer self;
    site_open(&here, SUITE, "bare");
    site_start(&here, NULL);
    cs_random stream;
    cs_random_init(&stream, 5, 0, CS_PURPOSE_SAMPLE, 0, 0);
    for (int i = 0; i < 50; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
        uint8_t bytes[512];
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        for (size_t k = 0; k < sizeof bytes; k++) {
            bytes[k] = (uint8_t)cs_random_below(&stream, 256);
        }
        if (i % 2) {
            memcpy(bytes, "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16); /* a greeting, then noise */
        }
        ck_assert_int_ge(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL), 0);
        close(fd);
    }
    peer_open(&self, ZMQ_DEALER);
    peer_ping(&self);
    peer_close(&self);
    site_close(&here);
}
END_TEST

/* The same key is the same job, from whatever connection and at whatever time it comes. */
START_TEST(test_retry)
{
    site here;
    peer first, second;
    submission sent;
    site_open(&here, SUITE, "retry");
    site_start(&here, NULL);
    submission_init(&sent, 9);
    peer_open(&first, ZMQ_DEALER);
    peer_open(&second, ZMQ_DEALER);

    /* Both ask before either is answered. */
    sent.request.id = 1;
    peer_send(&first, &sent.request);
    sent.request.id = 2;
    peer_send(&first, &sent.request);
    sent.request.id = 3;
    peer_send(&second, &sent.request);
    for (int i = 0; i < 3; i++) {
        Codesign__Reply *reply = peer_receive(i < 2 ? &first : &second, SITE_PATIENCE_MS);
        ck_assert_ptr_nonnull(reply);
        ck_assert_int_eq(reply->body_case, CODESIGN__REPLY__BODY_SUBMITTED);
        ck_assert_uint_eq(reply->submitted->job, 1);
        peer_free(reply);
    }
    peer_close(&first);
    peer_close(&second);

    /* One who asks and goes away before the answer; killed and started again; asks again. */
    free(sent.text);
    submission_init(&sent, 10);
    peer_open(&first, ZMQ_DEALER);
    Codesign__Reply *reply = peer_ask(&first, &sent.request, CODESIGN__REPLY__BODY_SUBMITTED);
    uint64_t job = reply->submitted->job;
    ck_assert_uint_eq(job, 2);
    peer_free(reply);
    peer_close(&first);
    site_kill(&here);
    site_start(&here, NULL);
    peer_open(&first, ZMQ_DEALER);
    sent.request.id = 0;
    reply = peer_ask(&first, &sent.request, CODESIGN__REPLY__BODY_SUBMITTED);
    ck_assert_uint_eq(reply->submitted->job, job);
    peer_free(reply);

    /* Another key is another job; none, or a short one, is refused. */
    memset(sent.key, 11, sizeof sent.key);
    sent.request.id = 0;
    reply = peer_ask(&first, &sent.request, CODESIGN__REPLY__BODY_SUBMITTED);
    ck_assert_uint_eq(reply->submitted->job, 3);
    peer_free(reply);
    sent.request.key.len = 15;
    sent.request.id = 0;
    peer_free(peer_ask(&first, &sent.request, CODESIGN__REPLY__BODY_ERROR));
    sent.request.has_key = false;
    sent.request.id = 0;
    peer_free(peer_ask(&first, &sent.request, CODESIGN__REPLY__BODY_ERROR));

    Codesign__ListJobs list = CODESIGN__LIST_JOBS__INIT;
    Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_LIST_JOBS);
    request.list_jobs = &list;
    reply = peer_ask(&first, &request, CODESIGN__REPLY__BODY_JOB_LIST);
    ck_assert_uint_eq(reply->job_list->n_jobs, 3);
    peer_free(reply);
    free(sent.text);
    peer_close(&first);
    site_close(&here);
}
END_TEST

/* A client that asks more than it reads holds nobody up: the daemon answers others meanwhile, and a
 * backlog of questions does not delay its end. */
START_TEST(test_backlog)
{
    enum { QUESTIONS = 3000 };
    site here;
    peer greedy, other;
    submission sent;
    site_open(&here, SUITE, "backlog");
    site_start(&here, NULL);
    submission_init(&sent, 12);
    peer_open(&greedy, ZMQ_DEALER);
    peer_open(&other, ZMQ_DEALER);
    Codesign__Reply *reply = peer_ask(&greedy, &sent.request, CODESIGN__REPLY__BODY_SUBMITTED);
    Codesign__ShowJob show = CODESIGN__SHOW_JOB__INIT;
    show.job = reply->submitted->job;
    peer_free(reply);
    for (int i = 0; i < QUESTIONS; i++) {
        Codesign__Request request = peer_request(CODESIGN__REQUEST__BODY_SHOW_JOB);
        request.show_job = &show;
        (void)peer_send(&greedy, &request);
    }
    peer_ping(&other);
    ck_assert_uint_le(site_stop(&here), SITE_STOP_MS);
    free(sent.text);
    peer_close(&greedy);
    peer_close(&other);
    site_close(&here);
}
END_TEST

int main(void)
{
    return site_main(SUITE, 120,
                     (const TTest *const[]){test_truncated, test_random, test_large_and_deep,
                                            test_shape_and_version, test_bare_socket, test_retry,
                                            test_backlog, NULL});
}
