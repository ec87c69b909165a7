import HTTPTransport
import MailModel

/// How calls to a provider are tried.
public struct CallPolicy: Sendable, Hashable {
    /// How often one call is tried before its failure counts.
    public var triesMax = 3
    /// Before the second try; doubles for each further one.
    public var retryDelay: Duration = .milliseconds(500)
    /// A wait the provider asks for is waited for inside a pass up to this; a longer one ends the pass.
    public var patience: Duration = .seconds(10)
    /// From start to last byte of one request.
    public var requestTimeout: Duration = .seconds(60)

    public init() {}
}

/// Sends one request; throws `TransportError` or `CancellationError`.
public typealias SendRequest = @Sendable (HTTPRequest) async throws -> HTTPResponse

/// The calls of a session to its provider: units spent first, one fresh token after a 401, failures mapped, passing ones
/// tried again, the budget told to slow down.
public struct ProviderCalls<Failures: FailureTable>: Sendable {
    public let policy: CallPolicy
    public let time: any TimeSource
    private let tokens: any AccessTokens
    private let budget: any QuotaBudget
    private let send: SendRequest

    public init(
        policy: CallPolicy, tokens: any AccessTokens, budget: any QuotaBudget, time: any TimeSource,
        send: @escaping SendRequest
    ) {
        self.policy = policy
        self.tokens = tokens
        self.budget = budget
        self.time = time
        self.send = send
    }

    /// Repeats `body` until it works, its failure is not a passing one, or is to be waited for too long, or tries are used
    /// up.
    ///
    /// - Throws: ``SyncFailure``, `CancellationError`.
    public func patiently<Value>(_ body: () async throws -> Value) async throws -> Value {
        var tries = 1
        while true {
            do {
                return try await body()
            } catch let failure as SyncFailure where tries < policy.triesMax && isPassing(failure) {
                try await pause(afterTry: tries)
                tries += 1
            }
        }
    }

    /// Whether trying again soon makes sense. Not after a refused token: it was replaced already.
    public func isPassing(_ failure: SyncFailure) -> Bool {
        guard case .retry(let after, .account) = failure.decision, failure.code != FailureCode.unauthorized
        else { return false }
        return after ?? .zero <= policy.patience
    }

    /// The small back-off between tries.
    public func pause(afterTry tries: Int) async throws {
        try await time.sleep(for: policy.retryDelay * (1 << min(tries - 1, 10)))
    }

    /// Sends the request, once more with another token when the first was refused. The answer has status 2xx.
    ///
    /// - Throws: ``SyncFailure``, `CancellationError`.
    public func answer(
        _ endpoint: Failures.Endpoint, units: Int, _ request: (Secret) -> HTTPRequest
    ) async throws -> HTTPResponse {
        try await budget.spend(units)
        var token = try await tokens.current()
        var response = try await transmit(request(token), endpoint)
        if response.status == 401 {
            token = try await tokens.replacing(token)
            try await budget.spend(units)
            response = try await transmit(request(token), endpoint)
        }
        guard !(200...299).contains(response.status) else { return response }
        let failure = Failures.failure(of: response, at: endpoint, now: time.nowMilliseconds())
        await slowDown(for: [failure])
        throw failure
    }

    private func transmit(_ request: HTTPRequest, _ endpoint: Failures.Endpoint) async throws -> HTTPResponse {
        do {
            return try await send(request)
        } catch let error as TransportError {
            if error == .shutDown { throw CancellationError() }
            throw Failures.failure(of: error, at: endpoint)
        }
    }

    /// Decodes an answer, or maps its failure; a part of a batch whose token was refused is to be asked for alone.
    public func read<Value: Decodable>(
        _ response: HTTPResponse, _ endpoint: Failures.Endpoint, as type: Value.Type = Value.self
    ) throws(SyncFailure) -> Value {
        guard (200...299).contains(response.status) else {
            throw Failures.failure(of: response, at: endpoint, now: time.nowMilliseconds())
        }
        // Why the body cannot be decoded is the provider's text: it is not shown.
        guard let value = try? ProviderJSON.decode(Value.self, from: response.body) else {
            throw Failures.unreadable(endpoint)
        }
        return value
    }

    /// Decodes one part of a batch.
    public func readPart<Value: Decodable>(
        _ part: HTTPResponse, _ endpoint: Failures.Endpoint, as type: Value.Type = Value.self
    ) -> Result<Value, SyncFailure> {
        if part.status == 401 { return .failure(Failures.expiredInBatch) }
        return Result { () throws(SyncFailure) in try read(part, endpoint) }
    }

    /// Tells the budget of the longest wait the failures ask for.
    public func slowDown(for failures: [SyncFailure]) async {
        if let longest = failures.filter(\.isThrottling).map(\.pause).max() { await budget.throttled(for: longest) }
    }
}

/// Asks the store; its errors become failures, because a session throws nothing else.
public func fromStore<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let error as CancellationError {
        throw error
    } catch let failure as SyncFailure {
        throw failure
    } catch {
        throw SyncFailure(
            .retry(after: nil, scope: .account), code: "store_failed", "the account's store cannot be read: \(error)")
    }
}
