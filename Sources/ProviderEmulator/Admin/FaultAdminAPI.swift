import MailModel

/// The part of the admin API that is about one provider's faults.
struct FaultAdminAPI: Sendable {
    let faults: FaultRegistry
    /// What random faults strike, and with what.
    let randomEndpoint: FaultEndpoint
    let randomResponses: [FaultResponse]

    func route(_ request: EmulatorRequest, _ path: [String]) throws -> EmulatorReply {
        switch (request.method, path.first, path.count) {
        case ("GET", "faults", 1): return .text(faults.active.map { "\($0.id) \($0.fault)\n" }.joined())
        case ("POST", "faults", 1): return try add(request)
        case ("DELETE", "faults", 1): faults.removeAll()
        case ("DELETE", "faults", 2): faults.remove(Int(path[1]) ?? -1)
        case ("POST", "random-faults", 1): try setRandom(try AdminBody(request))
        default: throw AdminAPI.Refusal.notFound
        }
        return .done
    }

    private func add(_ request: EmulatorRequest) throws -> EmulatorReply {
        let words = String(decoding: request.body, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        do throws(FaultText.Invalid) {
            let id = faults.add(try FaultText.parse(words.map(String.init)))
            return .object { $0.field("fault", Int64(id)) }
        } catch {
            throw AdminAPI.Refusal.badRequest(error.reason)
        }
    }

    private func setRandom(_ body: AdminBody) throws {
        guard let rate = body.rate, (0...1).contains(rate), let seed = body.seed else {
            throw AdminAPI.Refusal.badRequest("rate (0 to 1) and seed are needed")
        }
        let random = RandomFaults(rate: rate, seed: seed, endpoints: [randomEndpoint], responses: randomResponses)
        faults.setRandom(rate == 0 ? nil : random)
    }
}
