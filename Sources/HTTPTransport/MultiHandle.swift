import CCurl

/// Owns a `CURLM`: the set of transfers that one thread drives, with its connections.
///
/// Invariant behind `@unchecked Sendable`: ``wakeUp()`` may be called from any thread, as libcurl documents of
/// `curl_multi_wakeup`; everything else is called on the loop's thread only. The handle is freed with the last
/// reference, hence never while a call is under way.
final class MultiHandle: @unchecked Sendable {
    private let multi: OpaqueMulti

    init(_ configuration: HTTPTransport.Configuration) {
        precondition(Self.isLibraryReady, "libcurl cannot be initialised")
        guard let multi = curl_multi_init() else { preconditionFailure("out of memory for a libcurl handle") }
        self.multi = multi
        let limits: [(CURLMoption, Int)] = [
            (CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX)),
            (CURLMOPT_MAX_HOST_CONNECTIONS, configuration.connectionsPerHostMax),
            (CURLMOPT_MAX_TOTAL_CONNECTIONS, configuration.connectionsMax),
            (CURLMOPT_MAXCONNECTS, configuration.connectionsMax),
            (CURLMOPT_MAX_CONCURRENT_STREAMS, configuration.streamsPerConnectionMax),
        ]
        for (option, value) in limits {
            let code = ccurl_multi_set_long(multi, option, value.clampedForCurl)
            precondition(code == CURLM_OK, "this libcurl does not know multi option \(option.rawValue)")
        }
    }

    deinit { curl_multi_cleanup(multi) }

    /// Ends the present or the next ``poll(milliseconds:)``.
    func wakeUp() { curl_multi_wakeup(multi) }

    func add(_ easy: EasyHandle) -> CURLMcode { curl_multi_add_handle(multi, easy.pointer) }

    func remove(_ easy: EasyHandle) { curl_multi_remove_handle(multi, easy.pointer) }

    /// Moves every transfer as far as it goes without waiting.
    func perform() -> CURLMcode {
        var running: Int32 = 0
        return curl_multi_perform(multi, &running)
    }

    /// Waits for the network, a time-out of libcurl's own or ``wakeUp()``.
    func poll(milliseconds: Int32) -> CURLMcode { curl_multi_poll(multi, nil, 0, milliseconds, nil) }

    /// The next transfer that has ended, with its result.
    func nextDone() -> (easy: OpaqueEasy, result: CURLcode)? {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            return (easy, message.pointee.data.result)
        }
        return nil
    }

    /// Process-wide, once; Swift runs the initialiser of a static under a lock.
    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
}

typealias OpaqueMulti = UnsafeMutableRawPointer
typealias OpaqueEasy = UnsafeMutableRawPointer

extension Int {
    /// libcurl reads 0 as "no limit" and stores some options in 32 bits.
    var clampedForCurl: Int { Swift.min(Swift.max(1, self), Int(Int32.max)) }
}

extension Duration {
    /// Whole milliseconds, rounded up, in the range libcurl takes.
    var curlMilliseconds: Int {
        let (seconds, attoseconds) = components
        guard seconds < Int64(Int32.max) / 1000 else { return Int(Int32.max) }
        guard seconds >= 0 else { return 1 }
        return (Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)).clampedForCurl
    }
}
