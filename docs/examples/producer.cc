// Sends ten messages to a Penstock node, ten more as one batch, and waits until all are durable.
//
//     c++ -std=c++17 producer.cc $(pkg-config --cflags --libs penstock) -o producer
//     ./producer 10.0.0.2:7373 app.example
#include <iostream>

#include <penstock.hpp>

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " HOST:PORT SUBJECT\n";
    return 2;
  }
  try {
    int durable = 0;
    penstock::Conf conf;
    conf.set("bootstrap.servers", argv[1]).set("linger.ms", "1");
    penstock::Producer producer(conf, [&](const penstock_report_t& report) {
      if (report.err == PENSTOCK_OK) {
        ++durable;
      } else {
        std::cerr << penstock_err2str(report.err) << '\n';
      }
    });
    for (int i = 0; i < 10; ++i) producer.produce(argv[2], "message " + std::to_string(i));

    std::vector<penstock_batch_message_t> batch(10, penstock::batch_message("one of many"));
    if (producer.produce_batch(argv[2], batch) != batch.size()) {
      for (const penstock_batch_message_t& message : batch) {
        std::cerr << penstock_err2str(message.err) << '\n';
      }
    }

    if (producer.flush(60s) != PENSTOCK_OK) std::cerr << "not all in time\n";
    producer.close(10s);
    std::cout << durable << " durable\n";
    return durable == 20 ? 0 : 1;
  } catch (const penstock::SettingError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
