import HTTPTransport
import MailModel

/// What was asked of a provider: the same answer means different things.
public protocol ProviderEndpoint: Sendable, Hashable {
    /// For messages: "the profile", "a message".
    var noun: String { get }
    /// True for the reading of one message: a failure may be that message's own.
    var isMessage: Bool { get }
}

/// The one place where a provider's errors become decisions.
public protocol FailureTable: Sendable {
    associatedtype Endpoint: ProviderEndpoint
    /// For messages.
    static var provider: String { get }
    /// The environment variable that holds the provider's address.
    static var addressVariable: String { get }
    /// Maps an answer whose status is not 2xx. Pure.
    ///
    /// - Parameter now: wall-clock milliseconds since 1970, for waits given as a date.
    static func failure(of response: HTTPResponse, at endpoint: Endpoint, now: Int64) -> SyncFailure
}

/// Codes of ``SyncFailure`` that decide something besides being shown.
public enum FailureCode {
    public static let messageGone = "message_not_found"
    public static let rateLimited = "rate_limited"
    public static let tooManyConcurrent = "too_many_concurrent"
    public static let projectLimit = "project_limit"
    public static let unauthorized = "unauthorized"
}

extension FailureTable {
    /// Maps what kept an answer from arriving.
    public static func failure(of error: TransportError, at endpoint: Endpoint) -> SyncFailure {
        let again = FailureDecision.retry(after: nil, scope: .account)
        switch error {
        case .connection(let reason):
            return SyncFailure(again, code: "connection_failed", "no answer from \(provider): \(reason)")
        case .timeout(let reason):
            return SyncFailure(again, code: "timeout", "\(provider) took too long: \(reason)")
        case .tooLarge(let limit):
            return SyncFailure(
                endpoint.isMessage ? .skip : again, code: "answer_too_large",
                "\(provider)'s answer to a request for \(endpoint.noun) is larger than \(limit) bytes")
        case .refused(let reason):
            return SyncFailure(
                .stop, code: "request_refused", "the request may not be sent: \(reason); check \(addressVariable)")
        case .shutDown:
            return SyncFailure(again, code: "shut_down", "the service is stopping")
        }
    }

    /// An answer with status 2xx that cannot be read: HTML, cut off, or another shape than documented.
    public static func unreadable(_ endpoint: Endpoint) -> SyncFailure {
        SyncFailure(
            endpoint.isMessage ? .skip : .retry(after: nil, scope: .account), code: "unreadable_answer",
            "\(provider)'s answer to a request for \(endpoint.noun) is not what its documentation describes")
    }

    /// An answer that sends elsewhere: tokens follow nobody.
    public static func redirected(_ endpoint: Endpoint) -> SyncFailure {
        SyncFailure(
            .stop, code: "redirected",
            "\(provider) redirected a request for \(endpoint.noun); check \(addressVariable)")
    }

    /// A part of a batch was refused its token, which expired meanwhile: a request of its own gets another one.
    public static var expiredInBatch: SyncFailure {
        SyncFailure(
            .retry(after: nil, scope: .account), code: "token_expired", "the access token expired during a batch")
    }
}

extension SyncFailure {
    /// True for limits on the rate of calls: they say nothing about what was asked for.
    public var isThrottling: Bool {
        [FailureCode.rateLimited, FailureCode.tooManyConcurrent, FailureCode.projectLimit].contains(code)
    }

    /// What the budget is told to wait: what the provider asks for, else a little.
    public var pause: Duration {
        if case .retry(let after?, _) = decision { return after }
        return code == FailureCode.tooManyConcurrent ? .seconds(1) : .seconds(5)
    }
}

extension Result {
    public var failure: Failure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}
