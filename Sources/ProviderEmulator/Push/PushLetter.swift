/// One push: a body that a provider posts to a URL.
public struct PushLetter: Sendable {
    /// The mailbox that changed, by its address: what faults can be aimed at.
    public var mailbox: String
    /// `https`, or `http` to a loopback address.
    public var url: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    public var policy: PushRetryPolicy
    /// Makes of it what somebody else than the provider would post; without this it loses its `Authorization`.
    public var forge: (@Sendable (inout PushLetter) -> Void)?
    /// Called when it is given up, or not even taken on.
    public var whenLost: (@Sendable () -> Void)?

    public init(
        mailbox: String, url: String, headers: [(name: String, value: String)] = [], body: [UInt8],
        policy: PushRetryPolicy
    ) {
        self.mailbox = mailbox
        self.url = url
        self.headers = headers
        self.body = body
        self.policy = policy
    }
}

/// When a push counts as taken, and how often it is sent until it does.
public struct PushRetryPolicy: Sendable, Hashable {
    /// Answers with any other status, and no answer at all, are failures.
    public var acknowledged: Set<Int>
    /// How long an answer is waited for.
    public var timeout: Duration
    /// Tries in all; at least one.
    public var triesMax: Int
    /// Before the second try; doubles for each further one up to ``delayMax``.
    public var delay: Duration
    public var delayMax: Duration

    public init(
        acknowledged: Set<Int>, timeout: Duration, triesMax: Int, delay: Duration, delayMax: Duration
    ) {
        self.acknowledged = acknowledged
        self.timeout = timeout
        self.triesMax = max(1, triesMax)
        self.delay = delay
        self.delayMax = delayMax
    }

    /// The wait after so many tries (1 and up); nil when that was the last.
    func wait(afterTry tries: Int) -> Duration? {
        tries < triesMax ? min(delayMax, delay * (1 << min(max(0, tries - 1), 20))) : nil
    }
}

/// What became of pushes so far.
public struct PushStats: Sendable, Hashable {
    /// Handed to the courier.
    public var letters = 0
    /// Requests made, repeated ones included.
    public var posts = 0
    /// Taken by the receiver, doubles included.
    public var acknowledged = 0
    /// Requests that were not taken, by status; 0 is no answer.
    public var refused: [Int: Int] = [:]
    /// Given up after the last try.
    public var givenUp = 0
    /// Lost by a fault.
    public var dropped = 0
    /// Not taken on because too many were waiting.
    public var overflowed = 0
}
