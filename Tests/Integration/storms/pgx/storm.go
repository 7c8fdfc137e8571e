// storm.py for Go's pgx: its cache prepares every statement with parameters.
//
// Arguments: URL, seed, statements, connections.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

const patience = 15 * time.Second

// SQLSTATEs of a connection that is lost; no other end of a connection is allowed.
var gone = []string{"57P01", "57P02", "57P03", "08000", "08001", "08003", "08006"}

// death is what a step panics with when its connection is gone.
type death struct{ err error }

// refused is what a step panics with when its statement failed.
type refused struct{ err *pgconn.PgError }

type storm struct {
	url                 string
	number, wanted      int
	random              *rand.Rand
	kinds               []func()
	conn                *pgx.Conn
	token, memory       string
	statements, deaths  int
	ids                 int64
	committed, doubtful []int64
	failure             interface{}
}

func newStorm(url string, seed int64, number, wanted int) *storm {
	s := &storm{url: url, number: number, wanted: wanted}
	s.random = rand.New(rand.NewSource(seed*1000 + int64(number)))
	s.kinds = []func(){
		s.prepared, s.prepared, s.prepared, s.prepared, s.prepared, s.prepared, s.prepared,
		s.simple, s.simple, s.simple, s.simple, s.simple,
		s.commit, s.commit, s.commit, s.commit,
		s.large, s.insert, s.rollback, s.savepoint, s.local, s.mistake, s.cursor, s.copy, s.set,
		s.reset, s.tokenByBoundName, s.lock, s.temporary, s.batch, s.batch,
	}
	return s
}

func (s *storm) run() {
	defer func() {
		if failure := recover(); failure != nil {
			s.failure = fmt.Sprintf("connection %d, statement %d: %v", s.number, s.statements, failure)
		}
	}()
	s.reopen()
	for s.statements < s.wanted {
		if s.dies(s.kinds[s.random.Intn(len(s.kinds))]) {
			s.reopen()
		}
	}
	s.conn.Close(context.Background())
}

// dies runs a step and says whether its connection was lost.
func (s *storm) dies(step func()) (died bool) {
	defer func() {
		failure := recover()
		if _, died = failure.(death); died {
			s.deaths++
		} else if failure != nil {
			panic(failure)
		}
	}()
	step()
	return false
}

// The connection and what is set in it.

// check judges err: a panic with death, with refused, or with what should not be.
func (s *storm) check(err error) {
	var answer *pgconn.PgError
	switch {
	case err == nil:
		return
	case errors.As(err, &answer):
		for _, code := range gone {
			if answer.Code == code {
				panic(death{err})
			}
		}
		panic(refused{answer})
	case s.conn == nil || s.conn.IsClosed():
		panic(death{err})
	default:
		panic(err)
	}
}

func (s *storm) reopen() {
	began := time.Now()
	for s.dies(s.open) {
		if time.Since(began) > patience {
			panic("no connection can be opened any more")
		}
	}
}

func (s *storm) open() {
	if s.conn != nil {
		s.conn.Close(context.Background())
		s.conn = nil
	}
	conn, err := pgx.Connect(context.Background(), s.url)
	s.check(err)
	s.conn = conn
	s.memory = "4MB"
	s.newToken()
	s.simply(fmt.Sprintf("set app.token = '%s'", s.token))
}

func (s *storm) newToken() {
	s.token = fmt.Sprintf("%d:%d", s.number, s.random.Intn(1000000000))
}

// Asking: each counts as one statement when it is answered.

func (s *storm) counted(step func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.statements++
	err := step(ctx)
	if ctx.Err() != nil {
		panic("no answer")
	}
	s.check(err)
}

// gather reads rows, each as its columns' texts with a bar between them.
func gather(rows pgx.Rows) (found []string, err error) {
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		words := make([]string, len(values))
		for n, value := range values {
			words[n] = fmt.Sprint(value)
		}
		found = append(found, strings.Join(words, "|"))
	}
	return found, rows.Err()
}

func (s *storm) ask(sql string, values ...interface{}) (found []string) {
	s.counted(func(ctx context.Context) error {
		rows, err := s.conn.Query(ctx, sql, values...)
		if err == nil {
			found, err = gather(rows)
		}
		return err
	})
	return found
}

func (s *storm) simply(sql string) []string {
	return s.ask(sql, pgx.QuerySimpleProtocol(true))
}

func (s *storm) refuses(code string, step func()) {
	defer func() {
		failure := recover()
		if it, ok := failure.(refused); !ok || it.err.Code != code {
			panic(failure)
		}
	}()
	step()
	panic("no error " + code)
}

func same(found []string, wanted ...string) {
	if strings.Join(found, "\n") != strings.Join(wanted, "\n") {
		panic(fmt.Sprintf("found %.300q, not %.300q", found, wanted))
	}
}

func (s *storm) checkOwn() {
	same(s.simply("select current_setting('app.token'), current_setting('work_mem')"),
		s.token+"|"+s.memory)
}

// Rows of the table storm, and transactions.

func (s *storm) id() int64 {
	s.ids++
	return int64(s.number)*1000000 + s.ids
}

func (s *storm) put(id int64) {
	s.ask("insert into storm (id, token) values ($1, $2)", id, s.token)
}

func (s *storm) checkSeen(from, to int64, ids ...int64) {
	wanted := []string{}
	for _, id := range ids {
		wanted = append(wanted, fmt.Sprintf("%d|%s", id, s.token))
	}
	same(s.ask("select id, token from storm where id between $1 and $2 order by id", from, to),
		wanted...)
}

func (s *storm) begin() (tx pgx.Tx) {
	s.counted(func(ctx context.Context) (err error) {
		tx, err = s.conn.Begin(ctx)
		return err
	})
	return tx
}

func (s *storm) end(tx pgx.Tx, rows ...int64) {
	defer func() {
		if failure := recover(); failure != nil {
			s.doubtful = append(s.doubtful, rows...)
			panic(failure)
		}
	}()
	s.counted(tx.Commit)
	s.committed = append(s.committed, rows...)
}

func main() {
	seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
	total, _ := strconv.Atoi(os.Args[3])
	count, _ := strconv.Atoi(os.Args[4])
	var group sync.WaitGroup
	storms := []*storm{}
	for number := 1; number <= count; number++ {
		s := newStorm(os.Args[1], seed, number, (total+count-1)/count)
		storms = append(storms, s)
		group.Add(1)
		go func() {
			defer group.Done()
			s.run()
		}()
	}
	group.Wait()
	statements, deaths, committed, doubtful := 0, 0, []int64{}, []int64{}
	for _, s := range storms {
		if s.failure != nil {
			fmt.Fprintln(os.Stderr, s.failure)
			os.Exit(1)
		}
		statements += s.statements
		deaths += s.deaths
		committed = append(committed, s.committed...)
		doubtful = append(doubtful, s.doubtful...)
	}
	fmt.Println("statements", statements)
	fmt.Println("deaths", deaths)
	fmt.Println("committed", strings.Trim(fmt.Sprint(committed), "[]"))
	fmt.Println("doubtful", strings.Trim(fmt.Sprint(doubtful), "[]"))
}
