/* Sends the lines of standard input to a Penstock node and says what became of each.
 *
 *     cc producer.c $(pkg-config --cflags --libs penstock) -o producer
 *     ./producer 10.0.0.2:7373 app.example <file
 */
#include <stdio.h>
#include <string.h>

#include <penstock.h>

struct counts {
  unsigned long durable;
  unsigned long failed;
};

static void on_report(const penstock_report_t *report, void *opaque) {
  struct counts *counts = opaque;
  if (report->err == PENSTOCK_OK) {
    ++counts->durable;
    return;
  }
  ++counts->failed;
  fprintf(stderr, "line %lu: %s\n", (unsigned long)(size_t)report->opaque,
          penstock_err2str(report->err));
}

int main(int argc, char **argv) {
  char why[256] = "";
  char line[4096];
  size_t number = 0;
  struct counts counts = {0, 0};
  penstock_conf_t *conf;
  penstock_producer_t *producer;

  if (argc != 3) {
    fprintf(stderr, "usage: %s HOST:PORT SUBJECT\n", argv[0]);
    return 2;
  }
  conf = penstock_conf_new();
  if (penstock_conf_set(conf, "bootstrap.servers", argv[1], why, sizeof why) != PENSTOCK_OK ||
      penstock_conf_set(conf, "acks", "durable", why, sizeof why) != PENSTOCK_OK) {
    fprintf(stderr, "%s\n", why);
    return 2;
  }
  penstock_conf_set_report_cb(conf, on_report, &counts);
  producer = penstock_producer_new(conf, why, sizeof why);
  penstock_conf_destroy(conf);
  if (producer == NULL) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }

  while (fgets(line, sizeof line, stdin) != NULL) {
    penstock_message_t message = {0};
    penstock_err_t err;
    message.size = sizeof message;
    message.subject = argv[2];
    message.payload = line;
    message.payload_bytes = strcspn(line, "\n");
    message.opaque = (void *)++number;
    err = penstock_produce(producer, &message, PENSTOCK_F_BLOCK);
    if (err != PENSTOCK_OK) {
      fprintf(stderr, "line %lu: %s\n", (unsigned long)number, penstock_err2str(err));
      ++counts.failed;
    }
    penstock_poll(producer, 0);
  }

  if (penstock_close(producer, 60 * 1000) != PENSTOCK_OK) fprintf(stderr, "not all in time\n");
  penstock_producer_destroy(producer);
  printf("%lu durable, %lu failed\n", counts.durable, counts.failed);
  return counts.failed == 0 && counts.durable == number ? 0 : 1;
}
