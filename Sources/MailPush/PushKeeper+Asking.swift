import MailModel

/// Asking providers for subscriptions.
extension PushKeeper {
    private enum Outcome: Sendable {
        case granted(PushGrant)
        case gone
        case failed(SyncFailure)
        /// There is nothing to ask: the account is not connected, or has no pushes any more.
        case none
        /// The service ends.
        case cancelled
    }

    /// Asks once, and draws what follows.
    ///
    /// - Returns: what was granted.
    func attempt(_ step: PushHealthMachine.Step, of key: AccountKey, epoch: Int) async -> PushGrant? {
        defer { attemptEnded(key, epoch: epoch) }
        let outcome = await ask(step, of: key)
        guard followed[key]?.epoch == epoch else {
            if case .granted(let grant) = outcome { return grant }
            return nil
        }
        return await conclude(outcome, step, of: key)
    }

    private func conclude(_ outcome: Outcome, _ step: PushHealthMachine.Step, of key: AccountKey) async -> PushGrant? {
        let now = time.nowMilliseconds()
        let random = Double.random(in: 0..<1)
        switch outcome {
        case .granted(let grant):
            let old = followed[key]?.machine.grant
            change(key) { $0.granted(grant, at: now, random: random) }
            if step == .subscribe { await beginAnew(key, replacing: old, by: grant) }
            return grant
        case .gone: change(key) { $0.gone(at: now) }
        case .failed(let failure):
            change(key) { $0.failed(failure, at: now, random: random) }
            logger.warning("pushes were not granted: \(failure)", metadata: about(key))
        case .none: drop(key)
        case .cancelled: break
        }
        return nil
    }

    /// What happened before the provider began to announce was announced by nobody: a look finds it. The subscription that
    /// was there before would announce everything twice.
    private func beginAnew(_ key: AccountKey, replacing old: PushGrant?, by grant: PushGrant) async {
        await ports.look(key)
        guard let old, old.subscription.id != grant.subscription.id else { return }
        do {
            _ = try await bounded(plan.farewellTimeout) { try await self.end(old, of: key) }
        } catch {
            logger.info("an older push subscription was not ended: \(error)", metadata: about(key))
        }
    }

    private func ask(_ step: PushHealthMachine.Step, of key: AccountKey) async -> Outcome {
        let ports = ports
        do {
            let outcome = try await bounded(plan.attemptTimeout) { () async throws -> Outcome in
                guard let pushes = try await ports.pushes(key) else { return .none }
                return try await Self.ask(step, pushes)
            }
            return outcome ?? .failed(.noAnswer)
        } catch let failure as SyncFailure {
            return failure.code == "not_connected" ? .none : .failed(failure)
        } catch {
            // Nothing but a cancellation is left by the contract of `MailboxPushes`.
            return .cancelled
        }
    }

    private static func ask(_ step: PushHealthMachine.Step, _ pushes: any MailboxPushes) async throws -> Outcome {
        switch step {
        case .subscribe:
            let state = ClientState.make()
            let subscription = try await pushes.subscribe(clientState: state)
            return .granted(PushGrant(subscription: subscription, digest: ClientStateDigest(of: state)))
        case .renew(let grant):
            guard let renewed = try await pushes.renew(grant.subscription) else { return .gone }
            return .granted(PushGrant(subscription: renewed, digest: grant.digest))
        }
    }

    /// - Returns: nil when it took longer than this, and was cancelled.
    func bounded<R: Sendable>(
        _ limit: Duration, _ work: @escaping @Sendable () async throws -> R
    ) async throws -> R? {
        let time = time
        return try await withThrowingTaskGroup(of: R?.self) { race in
            race.addTask { try await work() }
            race.addTask {
                try await time.sleep(for: limit)
                return nil
            }
            defer { race.cancelAll() }
            return try await race.next() ?? nil
        }
    }
}

extension SyncFailure {
    fileprivate static let noAnswer = SyncFailure(
        .retry(after: nil, scope: .account), code: "push_timeout", "the provider did not answer in time")
}
