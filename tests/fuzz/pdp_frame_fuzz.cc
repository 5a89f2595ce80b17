// Datagrams of any content, as from either end: nothing outside is read, what was decoded is made
// again to the same bytes, and views lie in the datagram.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "dataplane/door/pdp/wire.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

namespace {

using namespace penstock::pdp;

// The frame made of its parts: all but the body's fixed part is taken over.
template <class Body>
void check_made_again(std::span<const std::byte> datagram, const Frame& frame) {
  std::vector<std::byte> again(datagram.begin(), datagram.end());
  std::ranges::fill(std::span(again).first(sizeof(FrameHeader) + sizeof(Body)), std::byte{0xEE});
  encode_frame(again, frame.header.type, frame.header.connection, body_of<Body>(frame),
               frame.sealed);
  CHECK(std::ranges::equal(again, datagram));
}

void check_ranges(const Frame& frame) {
  const AckRanges ranges(frame);
  CHECK_EQ(ranges.size(), body_of<AckBody>(frame).range_count);
  std::uint64_t end = body_of<AckBody>(frame).received;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    CHECK(i == 0 ? end <= ranges[i].first : end < ranges[i].first);
    CHECK_LT(ranges[i].first, ranges[i].end);
    end = ranges[i].end;
  }
  CHECK_LE(end, kProducerSequenceEnd);
}

// What stands behind the fixed part ends where the body does.
void check_end(const Frame& frame, std::span<const std::byte> last) {
  CHECK(fuzz::lies_in(last, frame.body));
  CHECK(last.empty() || last.data() + last.size() == frame.body.data() + frame.body.size());
}

void check_open(const Frame& frame) {
  const OpenNames names = names_of(frame);
  check_end(frame, names.session);
  CHECK(fuzz::lies_in(std::as_bytes(std::span(names.key)), frame.body));
  CHECK_EQ(sizeof(OpenBody) + names.key.size() + names.session.size(), frame.body.size());
  if (is_acceptable(body_of<OpenBody>(frame))) {
    CHECK_LE(names.key.size(), kNameBytesMax);
    CHECK_NE(session_number(names.key, names.session), 0U);
  }
}

void check_body(std::span<const std::byte> datagram, const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::kHello: return check_made_again<HelloBody>(datagram, frame);
    case FrameType::kCookie: return check_made_again<CookieBody>(datagram, frame);
    case FrameType::kOpen: check_open(frame); return check_made_again<OpenBody>(datagram, frame);
    case FrameType::kAccept: return check_made_again<AcceptBody>(datagram, frame);
    case FrameType::kRefuse: return check_made_again<RefuseBody>(datagram, frame);
    case FrameType::kData:
      check_end(frame, messages_of(frame));
      return check_made_again<DataBody>(datagram, frame);
    case FrameType::kSkip: return check_made_again<DataBody>(datagram, frame);
    case FrameType::kAck: check_ranges(frame); return check_made_again<AckBody>(datagram, frame);
    case FrameType::kReject: return check_made_again<RejectBody>(datagram, frame);
    case FrameType::kSubject:
      check_end(frame, std::as_bytes(std::span(subject_of(frame))));
      return check_made_again<SubjectBody>(datagram, frame);
    case FrameType::kCapture: return check_made_again<CaptureBody>(datagram, frame);
    case FrameType::kPing: return check_made_again<PingBody>(datagram, frame);
    case FrameType::kClose: return check_made_again<CloseBody>(datagram, frame);
    case FrameType::kClosed: return check_made_again<ClosedBody>(datagram, frame);
    case FrameType::kGoAway:
      check_end(frame, std::as_bytes(std::span(endpoint_of(frame))));
      return check_made_again<GoAwayBody>(datagram, frame);
    case FrameType::kChallenge:
    case FrameType::kResponse: return check_made_again<ChallengeBody>(datagram, frame);
    case FrameType::kReset: return check_made_again<ResetBody>(datagram, frame);
  }
  CHECK(false);
}

void check_datagram(std::span<const std::byte> datagram) {
  const auto of_producer = decode_frame(datagram, Sender::kProducer);
  const auto of_node = decode_frame(datagram, Sender::kNode);
  CHECK(!of_producer || !of_node);
  for (const auto& frame : {of_producer, of_node}) {
    if (frame) {
      check_body(datagram, *frame);
    } else {
      CHECK(!name_of(frame.error()).empty());
    }
  }
}

}  // namespace

// The datagram as it is, then with its header put right where all but its type hides what is
// behind, and filled up with zeros to the least of a HELLO.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::FuzzInput(data, size).rest();
  check_datagram(input);
  if (input.size() < kFrameBytesMin || input.size() > kFrameBytesMax) return 0;
  std::vector<std::byte> frame(input.begin(), input.end());
  auto header = load<FrameHeader>(frame);
  if (header.type == FrameType::kHello) frame.resize(std::max(frame.size(), kHelloBytesMin));
  header.magic = kMagic;
  header.version = kVersion;
  header.length = static_cast<std::uint16_t>(frame.size());
  store(frame, 0, header);
  check_datagram(frame);
  return 0;
}
