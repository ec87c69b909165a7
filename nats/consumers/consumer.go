// Command consumer reads mailsync's events: each takes effect once, each user's in order.
//
//	go mod init consumer && go get github.com/nats-io/nats.go modernc.org/sqlite
//	NATS_URL=nats://consumer:password@localhost:4222 go run consumer.go
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	_ "modernc.org/sqlite"
)

type event struct {
	EventID string `json:"event_id"`
	UserID  string `json:"user_id"`
	Seq     int64  `json:"seq"`
	Subject string `json:"subject"`
}

// apply is what the event means to you. Write with tx: it commits together with the memory of the event.
func apply(tx *sql.Tx, e event) error {
	fmt.Println(e.UserID, e.Seq, e.Subject)
	return nil
}

// applyOnce skips an event that was delivered before (a lost acknowledgement, a restart): its event_id tells.
func applyOnce(db *sql.DB, e event) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	result, err := tx.Exec("INSERT OR IGNORE INTO seen(event_id) VALUES (?)", e.EventID)
	if err != nil {
		return err
	}
	if added, err := result.RowsAffected(); err != nil {
		return err
	} else if added == 1 {
		if err := apply(tx, e); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func handle(ctx context.Context, db *sql.DB, message jetstream.Msg) error {
	var e event
	if err := json.Unmarshal(message.Data(), &e); err != nil {
		return err
	}
	if err := applyOnce(db, e); err != nil {
		return err
	}
	return message.DoubleAck(ctx)
}

func run(ctx context.Context) error {
	db, err := sql.Open("sqlite", "consumer.db")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS seen(event_id TEXT PRIMARY KEY) WITHOUT ROWID"); err != nil {
		return err
	}
	url := os.Getenv("NATS_URL")
	if url == "" {
		url = nats.DefaultURL
	}
	client, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer client.Close()
	stream, err := jetstream.New(client)
	if err != nil {
		return err
	}
	// MaxAckPending 1 keeps the order also when a message has to be delivered again: the next one of the stream comes
	// after this one's acknowledgement. For more speed run several consumers, each for other users' subjects.
	consumer, err := stream.CreateOrUpdateConsumer(ctx, "MAIL_EVENTS", jetstream.ConsumerConfig{
		Durable:       "crm-go",
		FilterSubject: "user.>",
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       30 * time.Second,
		MaxAckPending: 1,
	})
	if err != nil {
		return err
	}
	consuming, err := consumer.Consume(func(message jetstream.Msg) {
		if err := handle(ctx, db, message); err != nil {
			log.Printf("not done, it comes again: %v", err)
			_ = message.NakWithDelay(5 * time.Second)
		}
	})
	if err != nil {
		return err
	}
	defer consuming.Stop()
	<-ctx.Done()
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}
