#include "manager/gateway/tls_stream.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "common/http_writer.h"
#include "common/timer.h"

namespace hpc {

namespace {

// The most that one record holds (RFC 8446, 5.1). Reading with as much leaves nothing decrypted
// behind, and small parts (a head, a chunk's size line) share one record.
constexpr std::size_t kRecordBytes = std::size_t{16} * 1024;
// Sealed bytes go on in blocks of this size, so that a large write is not held twice.
constexpr std::size_t kSealedBytesMax = std::size_t{64} * 1024;

/// What a browser gets that came with http: to our port. OpenSSL knows a request when it sees one.
std::string answer_to_plain_http() {
  LocalAnswer answer{400,
                     {{"Content-Type", "text/plain; charset=utf-8"}},
                     "This port speaks HTTPS. Begin the address with https:// and try again.\n",
                     true};
  return write_answer(answer, /*head_only=*/false, /*keep_alive=*/false, /*version_minor=*/1);
}

}  // namespace

class TlsStream::Impl final : public std::enable_shared_from_this<TlsStream::Impl>,
                              private Stream::Listener {
 public:
  Impl(Loop& loop, std::unique_ptr<Stream> below, SslPtr session, std::uint64_t handshake_ms)
      : loop_(loop),
        below_(std::move(below)),
        bio_method_(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream")),
        session_(std::move(session)),
        handshake_ms_(handshake_ms),
        deadline_(loop, [this] {
          fail_with({Errc::kTimeout, "TLS", "the handshake took too long"});
        }) {
    BIO_meth_set_read(bio_method_.get(), [](BIO* bio, char* to, int size) {
      return static_cast<Impl*>(BIO_get_data(bio))->take_input(bio, to, size);
    });
    BIO_meth_set_write(bio_method_.get(), [](BIO* bio, const char* from, int size) {
      static_cast<Impl*>(BIO_get_data(bio))->sealed_.append(from, static_cast<std::size_t>(size));
      return size;
    });
    BIO_meth_set_ctrl(bio_method_.get(), [](BIO*, int command, long, void*) -> long {
      return command == BIO_CTRL_FLUSH ? 1 : 0;
    });
    BIO* const bio = BIO_new(bio_method_.get());
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(session_.get(), bio, bio);  // the session owns it
  }

  void start(Stream::Listener& listener) {
    listener_ = &listener;
    if (std::exchange(started_, true)) return;
    below_->start(*this);
    deadline_.start(handshake_ms_);
    continue_later();  // a client speaks first
  }

  void write_parts(std::span<const Bytes> parts) {
    if (write_ended_ || closing_ || aborted_) return;
    if (ready_) {
      seal_parts(parts);
      return send_sealed();
    }
    for (const Bytes part : parts) early_.append(as_text(part));
  }

  std::size_t queued_bytes() const { return early_.size() + (below_ ? below_->queued_bytes() : 0); }

  FarEnd far_end() const {
    if (closing_) return FarEnd::kCut;
    return read_ended_ ? FarEnd::kEnded : below_->far_end();
  }

  // Until the handshake is done only we know of the pauses: it must go on for what is written.
  void pause_read(PauseReason why) {
    paused_ |= static_cast<unsigned>(why);
    update_below();
  }

  void resume_read(PauseReason why) {
    paused_ &= ~static_cast<unsigned>(why);
    if (ready_ && paused_ == 0 && (!held_.empty() || below_ended_)) continue_later();
    update_below();
  }

  void shutdown_write() {
    if (write_ended_ || closing_ || aborted_) return;
    write_ended_ = true;
    if (ready_) end_writing();
  }

  void abort(const Error& why) {
    if (closing_ || aborted_) return;
    aborted_ = true;
    early_.clear();
    deadline_.stop();
    below_->abort(why);  // which calls on_close(why)
  }

  /// The TlsStream is gone: no callback from now on.
  void detach() {
    listener_ = nullptr;
    closing_ = true;
    deadline_.stop();
    below_.reset();
  }

 private:
  // ------------------------------------------------------------------- from the stream below
  void on_data(Bytes bytes) noexcept override {
    if (closing_ || aborted_) return;
    if (read_ended_) return;  // what follows a close_notify is ignored (RFC 8446, 6.1)
    if (!held_.empty()) {
      held_.append(as_text(bytes));
      return work_on_held();
    }
    input_ = as_text(bytes);
    work();
    held_.assign(std::exchange(input_, {}));
    update_below();
  }

  void on_end() noexcept override {
    below_ended_ = true;
    work_on_held();
  }

  void on_drain() noexcept override {
    if (closing_ || aborted_ || !early_.empty()) return;
    if (ready_) listener_->on_drain();
    close_if_both_ended();
  }

  void on_close(const Status& why) noexcept override {
    if (closing_) return;
    closing_ = true;
    deadline_.stop();
    if (why && !(read_ended_ && write_ended_)) return listener_->on_close(cut_short());
    listener_->on_close(why);
  }

  // ------------------------------------------------------------------------ to and from OpenSSL
  int take_input(BIO* bio, char* to, int size) {
    BIO_clear_retry_flags(bio);
    const std::size_t count = std::min(input_.size(), static_cast<std::size_t>(size));
    if (count == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(to, input_.data(), count);
    input_.remove_prefix(count);
    return static_cast<int>(count);
  }

  // Whatever the reason is up here; and while something is held, because a reader that takes one
  // record between two pauses would let in more than it takes.
  void update_below() {
    const bool pause = ready_ && (paused_ != 0 || !held_.empty());
    if (closing_ || pause == below_paused_) return;
    below_paused_ = pause;
    if (pause) {
      below_->pause_read(PauseReason::kPeerQueueFull);
    } else {
      below_->resume_read(PauseReason::kPeerQueueFull);
    }
  }

  void continue_later() {
    if (std::exchange(continues_, true)) return;
    loop_.post([self = shared_from_this()] {
      self->continues_ = false;
      self->work_on_held();
    });
  }

  void work_on_held() {
    if (closing_ || aborted_) return;
    std::string held;
    held.swap(held_);
    input_ = held;
    work();
    held_.assign(std::exchange(input_, {}));
    update_below();
    const bool all_read = held_.empty() && !(ready_ && paused_ != 0);
    if (below_ended_ && all_read && !read_ended_) fail_with(cut_short().error());
  }

  /// Goes on with the handshake or decrypts, as far as input_ and the pauses allow.
  void work() {
    while (!closing_ && !aborted_) {
      ERR_clear_error();
      if (!ready_) {
        const int rc = SSL_do_handshake(session_.get());
        const int what = SSL_get_error(session_.get(), rc);  // before anything else asks OpenSSL
        send_sealed();
        if (rc != 1) return stop_for(what);
        become_ready();
        continue;
      }
      if (paused_ != 0 || read_ended_) return;
      std::array<char, kRecordBytes> plain;
      const int rc = SSL_read(session_.get(), plain.data(), plain.size());
      const int what = SSL_get_error(session_.get(), rc);
      send_sealed();  // answers of its own: to a key update, for example
      if (rc <= 0) return stop_for(what);
      listener_->on_data(as_bytes({plain.data(), static_cast<std::size_t>(rc)}));
    }
  }

  void stop_for(int what) {
    if (what == SSL_ERROR_WANT_READ) return;
    if (what != SSL_ERROR_ZERO_RETURN) {
      const bool plain_http = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
      if (plain_http) below_->write(as_bytes(answer_to_plain_http()));
      return fail_with({Errc::kBadRequest, "TLS", take_openssl_error()});
    }
    if (!ready_) return fail_with(cut_short().error());
    read_ended_ = true;
    input_ = {};
    listener_->on_end();
    close_if_both_ended();
  }

  void become_ready() {
    ready_ = true;
    deadline_.stop();
    update_below();
    if (!early_.empty()) {
      std::string early;
      early.swap(early_);
      const Bytes part = as_bytes(early);
      seal_parts({&part, 1});
      send_sealed();
      const bool was_high = early.size() > kQueueBytesLow;
      const std::size_t queued = below_->queued_bytes();
      if (queued == 0 || (was_high && queued <= kQueueBytesLow)) listener_->on_drain();
    }
    if (write_ended_ && !closing_) end_writing();
  }

  void seal_parts(std::span<const Bytes> parts) {
    std::array<char, kRecordBytes> record;
    std::size_t filled = 0;
    for (const Bytes part : parts) {
      auto text = as_text(part);
      while (!text.empty()) {
        if (filled == 0 && text.size() >= record.size()) {
          const auto large = text.substr(0, kSealedBytesMax);
          seal(large);
          text.remove_prefix(large.size());
          continue;
        }
        const std::size_t count = std::min(text.size(), record.size() - filled);
        std::memcpy(record.data() + filled, text.data(), count);
        text.remove_prefix(count);
        filled += count;
        if (filled == record.size()) seal({record.data(), std::exchange(filled, 0)});
      }
    }
    if (filled > 0) seal({record.data(), filled});
  }

  void seal(std::string_view plain) {
    if (closing_) return;
    ERR_clear_error();
    // All or nothing: what we write into takes everything.
    if (SSL_write(session_.get(), plain.data(), static_cast<int>(plain.size())) <= 0) {
      return fail_with({Errc::kBadRequest, "TLS", take_openssl_error()});
    }
    if (sealed_.size() >= kSealedBytesMax) send_sealed();
  }

  void send_sealed() {
    if (sealed_.empty() || closing_) return;
    std::string sealed;  // an idle connection keeps no memory for it
    sealed.swap(sealed_);
    below_->write(as_bytes(sealed));
  }

  void end_writing() {
    ERR_clear_error();
    SSL_shutdown(session_.get());
    send_sealed();
    below_->shutdown_write();
    close_if_both_ended();
  }

  // ---------------------------------------------------------------------------------- the end
  Status cut_short() const {
    return fail(Errc::kNetwork, "TLS",
                ready_ ? "the connection ended without a close_notify, so bytes may be missing"
                       : "the connection ended during the handshake");
  }

  // The peer need not end the connection below: its close_notify is enough.
  void close_if_both_ended() {
    if (read_ended_ && write_ended_ && below_ && below_->queued_bytes() == 0) close(Status());
  }

  void fail_with(const Error& why) {
    if (closing_) return;
    below_->shutdown_write();
    close(tl::unexpected<Error>(why));
  }

  void close(Status why) {
    if (closing_) return;
    closing_ = true;
    deadline_.stop();
    loop_.post([self = shared_from_this(), why = std::move(why)] {
      self->below_.reset();
      self->early_.clear();
      if (auto* listener = std::exchange(self->listener_, nullptr)) listener->on_close(why);
    });
  }

  Loop& loop_;
  std::unique_ptr<Stream> below_;
  BioMethodPtr bio_method_;
  SslPtr session_;
  std::uint64_t handshake_ms_;
  Timer deadline_;
  Stream::Listener* listener_ = nullptr;
  std::string_view input_;  // what OpenSSL reads from, during work()
  std::string held_;        // encrypted, from when a pause came in the middle of a read
  std::string sealed_;      // encrypted, on its way down
  std::string early_;       // written before the handshake was done
  unsigned paused_ = 0;
  bool started_ = false;
  bool ready_ = false;  // the handshake is done
  bool continues_ = false;
  bool below_paused_ = false;
  bool below_ended_ = false;
  bool read_ended_ = false;   // by the peer's close_notify
  bool write_ended_ = false;  // shutdown_write() was called
  bool aborted_ = false;
  bool closing_ = false;
};

TlsStream::TlsStream(Loop& loop, std::unique_ptr<Stream> below, SslPtr session,
                     std::uint64_t handshake_ms)
    : impl_(std::make_shared<Impl>(loop, std::move(below), std::move(session), handshake_ms)) {}
TlsStream::~TlsStream() { impl_->detach(); }
void TlsStream::start(Listener& listener) { impl_->start(listener); }
void TlsStream::write_parts(std::span<const Bytes> parts) { impl_->write_parts(parts); }
std::size_t TlsStream::queued_bytes() const { return impl_->queued_bytes(); }
FarEnd TlsStream::far_end() const { return impl_->far_end(); }
void TlsStream::pause_read(PauseReason why) { impl_->pause_read(why); }
void TlsStream::resume_read(PauseReason why) { impl_->resume_read(why); }
void TlsStream::shutdown_write() { impl_->shutdown_write(); }
void TlsStream::abort(const Error& why) { impl_->abort(why); }

}  // namespace hpc
