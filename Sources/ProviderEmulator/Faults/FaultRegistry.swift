import Synchronization

/// The faults in force. Scripted ones come before random ones, older before newer; the first that matches strikes.
public final class FaultRegistry: Sendable {
    private struct Scripted {
        let id: Int
        var fault: Fault
    }
    private struct State {
        var scripted: [Scripted]
        var random: RandomFaults?
        var nextID: Int
        var requests: UInt64 = 0
        var struck = 0
    }
    private let state: Mutex<State>

    init(_ plan: FaultPlan) {
        let scripted = plan.scripted.enumerated().map { Scripted(id: $0.offset + 1, fault: $0.element) }
        state = Mutex(State(scripted: scripted, random: plan.random, nextID: scripted.count + 1))
    }

    /// Adds a fault; returns its number, for ``remove(_:)``.
    @discardableResult
    public func add(_ fault: Fault) -> Int {
        state.withLock { state in
            defer { state.nextID += 1 }
            state.scripted.append(Scripted(id: state.nextID, fault: fault))
            return state.nextID
        }
    }

    /// Takes a scripted fault back; without effect when it is gone.
    public func remove(_ id: Int) { state.withLock { $0.scripted.removeAll { $0.id == id } } }

    /// Starts, replaces or (nil) ends random faults.
    public func setRandom(_ random: RandomFaults?) { state.withLock { $0.random = random } }

    /// Ends all faults.
    public func removeAll() {
        state.withLock { state in
            state.scripted = []
            state.random = nil
        }
    }

    /// The scripted faults that can still strike, with their numbers.
    public var active: [(id: Int, fault: Fault)] { state.withLock { $0.scripted.map { ($0.id, $0.fault) } } }

    /// The seed of the random faults in force: a test that fails prints it.
    public var randomSeed: UInt64? { state.withLock { $0.random?.seed } }

    /// How many requests were struck so far.
    public var struck: Int { state.withLock { $0.struck } }

    /// What strikes this request, if anything. Counts: ask once per request.
    func strike(_ endpoint: FaultEndpoint, target: String, mailbox: String?) -> FaultResponse? {
        state.withLock { state in
            state.requests += 1
            let response =
                Self.scripted(&state, endpoint, target, mailbox) ?? Self.random(state, endpoint)
            if response != nil { state.struck += 1 }
            return response
        }
    }

    private static func scripted(
        _ state: inout State, _ endpoint: FaultEndpoint, _ target: String, _ mailbox: String?
    ) -> FaultResponse? {
        for index in state.scripted.indices where matches(state.scripted[index].fault, endpoint, target, mailbox) {
            if state.scripted[index].fault.skip > 0 {
                state.scripted[index].fault.skip -= 1
                continue
            }
            let fault = state.scripted[index].fault
            if let times = fault.times {
                if times <= 1 {
                    state.scripted.remove(at: index)
                } else {
                    state.scripted[index].fault.times = times - 1
                }
            }
            return fault.response
        }
        return nil
    }

    private static func random(_ state: State, _ endpoint: FaultEndpoint) -> FaultResponse? {
        guard let random = state.random, !random.responses.isEmpty,
            random.endpoints.contains(where: { covers($0, endpoint) })
        else { return nil }
        var dice = SeededRandom(seed: random.seed, stream: state.requests)
        return dice.chance(random.rate) ? dice.pick(random.responses) : nil
    }

    private static func matches(
        _ fault: Fault, _ endpoint: FaultEndpoint, _ target: String, _ mailbox: String?
    ) -> Bool {
        guard covers(fault.endpoint, endpoint) else { return false }
        if let wanted = fault.mailbox, wanted.lowercased() != mailbox?.lowercased() { return false }
        guard let text = fault.match else { return true }
        // Clients may encode what stands in a path.
        return target.contains(text) || PercentCoding.decode(target, plusIsSpace: false).contains(text)
    }

    private static func covers(_ aimed: FaultEndpoint, _ endpoint: FaultEndpoint) -> Bool {
        if aimed == endpoint { return true }
        return switch (aimed, endpoint) {
        case (.anyGmail, .gmail), (.anyGraph, .graph): true
        default: false
        }
    }
}
