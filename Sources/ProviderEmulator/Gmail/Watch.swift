import Foundation

/// `users.watch` and `users.stop`.
extension GmailCall {
    private struct WatchBody: Decodable {
        var topicName: String?
        var labelIds: [String]?
        var labelFilterBehavior: String?
        var labelFilterAction: String?
    }

    /// A push follows at once, as is seen in practice.
    func watch() throws(GmailError) -> EmulatorReply {
        let body = try watchBody()
        guard let topic = body.topicName, !topic.isEmpty else {
            throw .invalidArgument("Missing/invalid parameter: topicName")
        }
        let behavior = body.labelFilterBehavior ?? body.labelFilterAction ?? "include"
        guard ["include", "exclude"].contains(behavior.lowercased()) else {
            throw .invalidArgument("Invalid value at 'label_filter_behavior', \"\(behavior)\"")
        }
        let end = try watches.begin(
            box.address, topic: topic, labels: Set(body.labelIds ?? []), excludes: behavior.lowercased() == "exclude")
        let historyID = box.read(\.historyID)
        watches.announce(box.address, historyID: historyID)
        return .json(
            MaskedJSON.object(mask) { json in
                json.field64("historyId", historyID)
                json.field("expiration", String(end))
            })
    }

    func stopWatching() -> EmulatorReply {
        watches.end(box.address)
        return EmulatorReply(status: 204, contentType: "text/plain", body: [])
    }

    private func watchBody() throws(GmailError) -> WatchBody {
        do {
            return try JSONDecoder().decode(WatchBody.self, from: Data(request.body))
        } catch {
            throw .invalidArgument("Invalid JSON payload received.")
        }
    }
}

extension GmailError {
    /// The mailbox is watched for another topic.
    public static let watchTaken = GmailError(
        400, "failedPrecondition",
        "Only one user push notification client allowed per developer (call /stop then try again)",
        status: "FAILED_PRECONDITION")
    /// Gmail's own account may not publish to the topic.
    public static let topicForbidden = GmailError(
        403, "forbidden",
        "Error sending test message to Cloud PubSub projects/emulated/topics/gmail : User not authorized to perform "
            + "this action.", status: "PERMISSION_DENIED")
    public static let topicMissing = GmailError(
        404, "notFound",
        "Error sending test message to Cloud PubSub projects/emulated/topics/gmail : Resource not found "
            + "(resource=gmail).", status: "NOT_FOUND")

    /// - Parameter project: that of the OAuth client.
    static func topicName(project: String) -> GmailError {
        invalidArgument("Invalid topicName does not match projects/\(project)/topics/*")
    }
}
