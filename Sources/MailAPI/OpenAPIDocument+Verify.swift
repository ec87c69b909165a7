/// `POST /mail/verify`.
extension OpenAPIDocument {
    // swift-format-ignore
    static let verify = #"""
            "/mail/verify": {
              "post": {
                "operationId": "verify",
                "summary": "Prove that nothing of the user's mail is missing",
                "description": "Compares event log, state, outbox, stream and mailboxes. One verification runs per user; the call waits up to 20 seconds for it. 202 says that it takes longer: call again, which joins it, or answers its summary when it has ended meanwhile.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": false,
                  "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Verify"}, "example": {"provider": "google"}}
                  }
                },
                "responses": {
                  "200": {
                    "description": "It has ended.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Verification"}}}
                  },
                  "202": {
                    "description": "It is under way.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "415": {"$ref": "#/components/responses/WrongMediaType"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#

    // swift-format-ignore
    static let verifySchemas = #"""
              "Verify": {
                "type": "object",
                "properties": {
                  "provider": {"$ref": "#/components/schemas/ProviderName"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "repair": {"type": "boolean", "default": false, "description": "Heal what can be healed."}
                },
                "description": "Which accounts are compared with their mailboxes; all of the user's without provider and inbox_id."
              },
              "Verification": {
                "type": "object",
                "required": [
                  "agrees",
                  "events",
                  "messages",
                  "in_stream",
                  "expired",
                  "at_provider",
                  "gaps",
                  "given_up",
                  "differences",
                  "left",
                  "not_checked"
                ],
                "properties": {
                  "agrees": {"type": "boolean", "description": "Everything was checked and nothing is left."},
                  "events": {"type": "integer", "description": "Events of the user, ever."},
                  "messages": {"type": "integer", "description": "Messages that were received."},
                  "in_stream": {"type": "integer", "description": "Events in the stream."},
                  "expired": {"type": "integer", "description": "Events that are too old for the stream."},
                  "at_provider": {"type": "integer", "description": "Messages that the mailboxes list."},
                  "gaps": {"type": "integer", "description": "Messages that could not be read yet."},
                  "given_up": {"type": "integer", "description": "Messages whose reading an operator gave up."},
                  "differences": {
                    "type": "object",
                    "additionalProperties": {"type": "integer"},
                    "description": "What was found, by kind."
                  },
                  "left": {
                    "type": "object",
                    "additionalProperties": {"type": "integer"},
                    "description": "What of it was not healed."
                  },
                  "not_checked": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "What could not be checked, and why."
                  }
                }
              },

        """#
}
