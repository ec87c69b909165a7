extension OpenAPIDocument {
    /// `GET /mail/live`.
    // swift-format-ignore
    static let live = #"""
            "/mail/live": {
              "get": {
                "operationId": "live",
                "summary": "The user's events, progress and status changes while they happen",
                "description": "Server-sent events, or with 'Upgrade: websocket' the same over a WebSocket, in text frames {\"event\", \"id\", \"data\"}. Events of the log have an id, their seq. 'progress', 'status' and 'position' have none to be repeated: after a reconnect they say how things are by then. A WebSocket's token is taken from Authorization, or from 'Sec-WebSocket-Protocol: bearer, TOKEN'. The stream ends when the token expires.",
                "security": [{"user": []}],
                "parameters": [
                  {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "description": "The id of the last event received: the stream goes on after it. Before 'after', which stays in the URL of a client that reconnects.",
                    "schema": {"type": "integer", "minimum": 0}
                  },
                  {
                    "name": "after",
                    "in": "query",
                    "description": "Events with a higher seq than this. Without it and Last-Event-ID the stream begins at the present end.",
                    "schema": {"type": "integer", "minimum": 0}
                  },
                  {
                    "name": "inbox_id",
                    "in": "query",
                    "description": "Only this inbox.",
                    "schema": {"$ref": "#/components/schemas/InboxID"}
                  },
                  {
                    "name": "provider",
                    "in": "query",
                    "description": "Only this provider.",
                    "schema": {"$ref": "#/components/schemas/ProviderName"}
                  }
                ],
                "responses": {
                  "101": {"description": "The connection goes on as a WebSocket."},
                  "200": {
                    "description": "A stream without an end.",
                    "content": {
                      "text/event-stream": {
                        "schema": {
                          "type": "string",
                          "description": "event: email.received and the like, data: the event as GET /mail/events has it; event: progress, data: LiveProgress; event: status, data: as GET /mail/status."
                        }
                      }
                    }
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {
                    "description": "A WebSocket from a page whose origin is not in HTTP_CORS_ORIGINS.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                  },
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "426": {
                    "description": "A WebSocket of another version than 13.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                  },
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#

    // swift-format-ignore
    static let liveSchemas = #"""
              "LiveProgress": {
                "type": "object",
                "required": ["kind", "provider", "inbox_id", "listed", "eta_s"],
                "properties": {
                  "kind": {"type": "string", "enum": ["backfill", "import"]},
                  "provider": {"$ref": "#/components/schemas/Provider"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "listed": {"type": "integer", "description": "Messages in scope that the provider listed."},
                  "stored": {"type": "integer", "description": "Of a backfill: messages stored."},
                  "import_id": {"type": "string", "description": "Of an import."},
                  "state": {"type": "string", "description": "Of an import."},
                  "done": {"type": "integer", "description": "Of an import: messages dealt with."},
                  "failed": {"type": "integer", "description": "Of an import: messages that could not be read."},
                  "eta_s": {"type": ["integer", "null"], "description": "Seconds still needed, when that can be told."}
                }
              },

        """#
}
