import MailModel

/// Answers that both providers' admin APIs give.
extension EmulatorReply {
    static let done = EmulatorReply(status: 204, contentType: "text/plain", body: [])

    static func object(_ body: (inout JSONText) -> Void) -> EmulatorReply {
        var json = JSONText()
        json.object(body)
        return .json(json.bytes)
    }

    /// One JSON object per line.
    static func lines<Element>(_ elements: [Element], _ body: (inout JSONText, Element) -> Void) -> EmulatorReply {
        var lines: [UInt8] = []
        for element in elements {
            var json = JSONText(reserving: 256)
            json.object { body(&$0, element) }
            lines += json.bytes + [0x0a]
        }
        return EmulatorReply(status: 200, contentType: "application/jsonl", body: lines)
    }

    static func grant(_ grant: TokenGrant) -> EmulatorReply {
        .object { json in
            json.field("access_token", grant.accessToken)
            json.field("refresh_token", grant.refreshToken)
            json.field("expires_in", Int64(grant.expiresIn))
            json.field("scope", grant.scopes.joined(separator: " "))
        }
    }

    /// Reads the command in the request's body and answers with what was done.
    static func command(
        _ request: EmulatorRequest, _ apply: (EmulatorCommand) throws(EmulatorError) -> String
    ) throws -> EmulatorReply {
        let command: EmulatorCommand
        do throws(EmulatorCommand.Invalid) {
            command = try EmulatorCommand.parse(String(decoding: request.body, as: UTF8.self))
        } catch {
            throw AdminAPI.Refusal.badRequest(error.description)
        }
        return .text(try apply(command) + "\n")
    }

    /// Makes random changes and answers with a line for each.
    static func live(
        _ body: AdminBody, _ address: String,
        _ step: (inout MailboxActivity) throws(EmulatorError) -> MailboxActivity.Change
    ) throws -> EmulatorReply {
        guard let steps = body.steps, (1...100_000).contains(steps), let seed = body.seed else {
            throw AdminAPI.Refusal.badRequest("steps (1 to 100000) and seed are needed")
        }
        var activity = MailboxActivity(address: address, seed: seed)
        var lines = ""
        for _ in 0..<steps { lines += try step(&activity).description + "\n" }
        return .text(lines)
    }
}
