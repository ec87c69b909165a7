/// The API's description for tools (OpenAPI 3.1), served as `GET /openapi.json`. Tests hold it against the routes and
/// against real answers.
enum OpenAPIDocument {
    static let text =
        opening + events + live + verify + imports + webhooks + microsoftWebhook + schedule + cron + jobs + paths
        + componentsOpening + liveSchemas + verifySchemas + importSchemas + webhookSchemas + microsoftWebhookSchemas
        + scheduleSchemas + cronSchemas + jobSchemas + components + responses

    // swift-format-ignore
    private static let opening = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "mailsync",
            "version": "1",
            "summary": "Keeps mailboxes in step and turns every change into an event in NATS JetStream.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
          },
          "paths": {

        """#

    // swift-format-ignore
    private static let paths = #"""
            "/mail/connect": {
              "post": {
                "operationId": "connect",
                "summary": "Connect a mailbox, or give a connected one new tokens",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/Connect"},
                      "example": {
                        "provider": "google",
                        "access_token": "ya29.example",
                        "refresh_token": "1//example",
                        "expires_in": 3599,
                        "inbox_id": "primary",
                        "since": "2024-01-01"
                      }
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "The mailbox is being kept in step.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Connected"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
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
            "/mail/sync": {
              "post": {
                "operationId": "sync",
                "summary": "Start the next pass of the user's accounts now",
                "security": [{"user": []}],
                "requestBody": {
                  "required": false,
                  "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Sync"}, "example": {"provider": "google"}}
                  }
                },
                "responses": {
                  "202": {
                    "description": "The accounts were woken.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SyncRequested"}}}
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
            "/mail/status": {
              "get": {
                "operationId": "userStatus",
                "summary": "The user's accounts and how far they are",
                "security": [{"user": []}],
                "responses": {
                  "200": {
                    "description": "All accounts of the user.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UserStatus"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/mail/disconnect": {
              "post": {
                "operationId": "disconnect",
                "x-destructive": true,
                "summary": "Stop keeping a mailbox in step and delete its tokens",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/Disconnect"},
                      "example": {"provider": "google", "inbox_id": "primary"}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "The account no longer exists; what waits is still published. With erase nothing of it is left.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Disconnected"}}}
                  },
                  "202": {
                    "description": "Only with erase: the account no longer exists, and erasing goes on.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Disconnected"}}}
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
            "/status": {
              "get": {
                "operationId": "serviceStatus",
                "summary": "The service as its operator sees it",
                "security": [{"operator": []}],
                "responses": {
                  "200": {
                    "description": "The state of the service.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ServiceStatus"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"}
                }
              }
            },
            "/metrics": {
              "get": {
                "operationId": "metrics",
                "summary": "Metrics for Prometheus",
                "security": [{"operator": []}],
                "responses": {
                  "200": {
                    "description": "Text format 0.0.4.",
                    "content": {"text/plain": {"schema": {"type": "string"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"}
                }
              }
            },
            "/healthz": {
              "get": {
                "operationId": "health",
                "summary": "Whether the process is alive",
                "security": [],
                "responses": {
                  "200": {
                    "description": "It is.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Probe"}}}
                  },
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"}
                }
              }
            },
            "/readyz": {
              "get": {
                "operationId": "readiness",
                "summary": "Whether the event stream and the stores are usable",
                "security": [],
                "responses": {
                  "200": {
                    "description": "They are.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Probe"}}}
                  },
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"}
                }
              }
            },
            "/openapi.json": {
              "get": {
                "operationId": "description",
                "summary": "This document",
                "security": [{"user": []}, {"operator": []}],
                "responses": {
                  "200": {
                    "description": "An OpenAPI 3.1 document.",
                    "content": {"application/json": {"schema": {"type": "object"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"}
                }
              }
            }
          },

        """#

    // swift-format-ignore
    private static let componentsOpening = #"""
          "components": {
            "securitySchemes": {
              "user": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "A token of the sign-in service (BetterAuth: GET /api/auth/token); its 'sub' is the user id."
              },
              "operator": {
                "type": "http",
                "scheme": "bearer",
                "description": "OPERATOR_TOKEN, or the token in DATA_DIR/operator.token."
              },
              "googlePush": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The OpenID Connect token that Google's Pub/Sub signs."
              },
              "cron": {"type": "http", "scheme": "bearer", "description": "CRON_SECRET."}
            },
            "schemas": {

        """#

    // swift-format-ignore
    private static let components = #"""
              "Provider": {"type": "string", "enum": ["google", "microsoft"]},
              "ProviderName": {
                "type": "string",
                "enum": ["google", "microsoft", "outlook"],
                "description": "outlook is another name of microsoft."
              },
              "InboxID": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "default": "primary",
                "description": "Which of the user's mailboxes at the provider; at most 200 bytes with every byte outside A-Z a-z 0-9 _ - counted as three."
              },
              "Connect": {
                "type": "object",
                "required": ["provider", "access_token", "refresh_token", "expires_in"],
                "properties": {
                  "provider": {"$ref": "#/components/schemas/ProviderName"},
                  "access_token": {"type": "string", "minLength": 1, "maxLength": 16384},
                  "refresh_token": {"type": "string", "minLength": 1, "maxLength": 16384},
                  "expires_in": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 31622400,
                    "description": "Seconds the access token is still valid."
                  },
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "since": {
                    "type": "string",
                    "description": "Only messages dated at or after this are wanted: a date, or an RFC 3339 time."
                  },
                  "dry_run": {
                    "type": "boolean",
                    "default": false,
                    "description": "Only count what there is, for 10 seconds at most. Nothing is stored, nor the account connected."
                  }
                }
              },
              "Connected": {
                "type": "object",
                "required": ["message", "provider", "user_id", "inbox_id"],
                "properties": {
                  "message": {"type": "string"},
                  "provider": {"$ref": "#/components/schemas/Provider"},
                  "user_id": {"type": "string"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "dry_run": {"type": "boolean", "description": "True when nothing was stored."},
                  "scan": {"$ref": "#/components/schemas/ImportScan"}
                }
              },
              "Sync": {
                "type": "object",
                "properties": {
                  "provider": {"$ref": "#/components/schemas/ProviderName"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"}
                },
                "description": "Which accounts; all of the user's without fields."
              },
              "SyncRequested": {
                "type": "object",
                "required": ["message", "accounts"],
                "properties": {
                  "message": {"type": "string"},
                  "accounts": {"type": "integer", "description": "How many were woken."}
                }
              },
              "Disconnect": {
                "type": "object",
                "required": ["provider"],
                "properties": {
                  "provider": {"$ref": "#/components/schemas/ProviderName"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "erase": {"type": "boolean", "default": false}
                }
              },
              "Disconnected": {
                "type": "object",
                "required": ["message"],
                "properties": {
                  "message": {"type": "string"},
                  "grant_revoked": {"type": "boolean"},
                  "erased": {"type": "boolean"}
                }
              },
              "Message": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
              "AccountStatus": {
                "type": "string",
                "enum": [
                  "starting",
                  "active",
                  "error",
                  "reauth_required",
                  "wrong_mailbox",
                  "stopped",
                  "store_behind_stream"
                ]
              },
              "UserStatus": {
                "type": "object",
                "required": ["user_id", "running_syncs", "accounts"],
                "properties": {
                  "user_id": {"type": "string"},
                  "running_syncs": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Accounts that are kept in step, as user:inbox:PROVIDER, ids in encoded form."
                  },
                  "accounts": {"type": "array", "items": {"$ref": "#/components/schemas/Account"}}
                }
              },
              "Account": {
                "type": "object",
                "required": [
                  "provider",
                  "inbox_id",
                  "status",
                  "phase",
                  "listed",
                  "stored",
                  "gone",
                  "gaps",
                  "given_up",
                  "missing",
                  "last_verified_at",
                  "published",
                  "outbox_depth",
                  "oldest_unpublished_s",
                  "last_synced_at",
                  "last_error",
                  "retry_count",
                  "next_attempt_at",
                  "waiting_for",
                  "eta_s", "pushes", "pushes_until", "push_error",
                  "interval_s"
                ],
                "properties": {
                  "provider": {"$ref": "#/components/schemas/Provider"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "status": {"$ref": "#/components/schemas/AccountStatus"},
                  "phase": {"type": "string", "enum": ["starting", "backfill", "live", "repair"]},
                  "listed": {"type": "integer", "description": "Messages in scope that the provider listed."},
                  "stored": {"type": "integer", "description": "Messages that were read."},
                  "gone": {
                    "type": "integer",
                    "description": "Messages that no longer existed when they were to be read."
                  },
                  "gaps": {
                    "type": "integer",
                    "description": "Messages that could not be read yet; they are retried."
                  },
                  "given_up": {
                    "type": "integer",
                    "description": "Messages that could not be read and that an operator gave up; read again when they change."
                  },
                  "missing": {
                    "type": "integer",
                    "description": "Messages that the last verification found at the provider only, and did not heal."
                  },
                  "last_verified_at": {
                    "type": ["integer", "null"],
                    "description": "Unix seconds of the last comparison with the mailbox."
                  },
                  "published": {"type": "integer", "description": "Events the stream has confirmed."},
                  "outbox_depth": {"type": "integer", "description": "Events that wait to be published."},
                  "oldest_unpublished_s": {"type": ["integer", "null"], "description": "Seconds the oldest of them has waited."},
                  "last_synced_at": {"type": ["integer", "null"], "description": "Unix seconds of the last successful pass."},
                  "last_error": {"type": ["string", "null"], "description": "What went wrong last; null after a success."},
                  "retry_count": {"type": "integer", "description": "Failures since the last success."},
                  "next_attempt_at": {
                    "type": ["integer", "null"],
                    "description": "Unix seconds of the next attempt after a failure."
                  },
                  "waiting_for": {"type": ["string", "null"], "description": "What the account waits for."},
                  "eta_s": {
                    "type": ["integer", "null"],
                    "description": "Seconds the first reading of the mailbox still needs."
                  },
                  "pushes": {"type": "string", "enum": ["off", "pending", "healthy", "lapsed", "silent"]},
                  "pushes_until": {"type": ["integer", "null"], "description": "Unix seconds at which the grant ends."},
                  "push_error": {"type": ["string", "null"], "description": "Why the provider announces nothing."},
                  "interval_s": {
                    "type": ["integer", "null"],
                    "description": "Seconds between two passes that nobody asks for; null: only when somebody asks."
                  }
                }
              },
              "ServiceStatus": {
                "type": "object",
                "required": [
                  "version",
                  "uptime_s",
                  "nats",
                  "accounts", "pushes",
                  "outbox_depth",
                  "oldest_unpublished_s",
                  "publish_latency_ms",
                  "errors",
                  "token_refreshes",
                  "gaps",
                  "given_up",
                  "missing",
                  "never_verified",
                  "oldest_verification_s",
                  "jobs",
                  "worst_accounts"
                ],
                "properties": {
                  "version": {"type": "string"},
                  "uptime_s": {"type": "integer"},
                  "nats": {
                    "type": "object",
                    "required": ["connected", "stream", "server_version", "last_sequence", "trouble"],
                    "properties": {
                      "connected": {"type": "boolean"},
                      "stream": {"type": "string"},
                      "server_version": {"type": ["string", "null"]},
                      "last_sequence": {"type": ["integer", "null"]},
                      "trouble": {"type": ["string", "null"], "description": "Why nothing can be published."}
                    }
                  },
                  "accounts": {
                    "type": "object",
                    "additionalProperties": {"type": "integer"},
                    "description": "How many accounts have each status."
                  },
                  "pushes": {"type": "object", "additionalProperties": {"type": "integer"}},
                  "outbox_depth": {"type": "integer"},
                  "oldest_unpublished_s": {"type": ["integer", "null"]},
                  "publish_latency_ms": {
                    "type": "object",
                    "required": ["p50", "p99"],
                    "properties": {"p50": {"type": ["integer", "null"]}, "p99": {"type": ["integer", "null"]}},
                    "description": "From commit to confirmation, over the recent past."
                  },
                  "errors": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": ["code", "total", "last_hour"],
                      "properties": {
                        "code": {"type": "string"},
                        "total": {"type": "integer"},
                        "last_hour": {"type": "integer"}
                      }
                    }
                  },
                  "token_refreshes": {
                    "type": "object",
                    "required": ["succeeded", "failed"],
                    "properties": {"succeeded": {"type": "integer"}, "failed": {"type": "integer"}}
                  },
                  "gaps": {"type": "integer"},
                  "given_up": {"type": "integer"},
                  "missing": {"type": "integer"},
                  "never_verified": {"type": "integer", "description": "Accounts never compared with their mailbox."},
                  "oldest_verification_s": {
                    "type": ["integer", "null"],
                    "description": "Seconds since the verification that is the longest ago of all accounts."
                  },
                  "jobs": {"$ref": "#/components/schemas/JobCounts"},
                  "worst_accounts": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": [
                        "user_id",
                        "provider",
                        "inbox_id",
                        "status",
                        "reason",
                        "retry_count",
                        "next_attempt_at",
                        "last_synced_at"
                      ],
                      "properties": {
                        "user_id": {"type": "string"},
                        "provider": {"$ref": "#/components/schemas/Provider"},
                        "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                        "status": {"$ref": "#/components/schemas/AccountStatus"},
                        "reason": {"type": "string"},
                        "retry_count": {"type": "integer"},
                        "next_attempt_at": {"type": ["integer", "null"]},
                        "last_synced_at": {"type": ["integer", "null"]}
                      }
                    }
                  }
                }
              },
              "Probe": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}},
              "Problem": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "request_id"],
                "properties": {
                  "type": {"type": "string", "description": "What kind of problem, for programs."},
                  "title": {"type": "string"},
                  "status": {"type": "integer"},
                  "detail": {"type": "string", "description": "What happened and what to do."},
                  "field": {"type": "string", "description": "The field of the body that is wrong."},
                  "accepted": {"type": "array", "items": {"type": "string"}},
                  "request_id": {"type": "string", "description": "Also in X-Request-Id, and in the service's log."}
                }
              }
            },

        """#
}
