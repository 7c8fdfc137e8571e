// storm.py for Go's pgx: its cache prepares every statement with parameters.
//
// Arguments: URL, seed, statements, connections.
package main

import (
	"bytes"
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
const numbers = 300

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

// Ways of asking.

func (s *storm) prepared() {
	n, k := s.random.Intn(1000000), s.random.Intn(12)
	sql := fmt.Sprintf("select $1::int + %d, current_setting('app.token')", k)
	wanted := fmt.Sprintf("%d|%s", n+k, s.token)
	if k > 7 {
		// Some texts are everyone's, some this connection's alone.
		sql += fmt.Sprintf(", %d", s.number)
		wanted += fmt.Sprintf("|%d", s.number)
	}
	same(s.ask(sql, n), wanted)
}

func (s *storm) simple() {
	word := fmt.Sprintf("w%d", s.random.Intn(1000000000))
	same(s.simply("select '"+word+"', current_setting('app.token'), current_setting('work_mem')"),
		word+"|"+s.token+"|"+s.memory)
}

func (s *storm) large() {
	count := s.random.Intn(20000)
	same(s.ask("select repeat($1, $2)", s.token, count), strings.Repeat(s.token, count))
}

func (s *storm) insert() {
	id := s.id()
	if s.dies(func() { s.put(id) }) {
		s.doubtful = append(s.doubtful, id)
		s.reopen()
		return
	}
	s.committed = append(s.committed, id)
}

// batch sends several statements before one Sync.
func (s *storm) batch() {
	batch, wanted := &pgx.Batch{}, []string{}
	for n := 2 + s.random.Intn(6); n > 0; n-- {
		k := s.random.Intn(6)
		batch.Queue(fmt.Sprintf("select $1::int * %d, current_setting('app.token')", k), n)
		wanted = append(wanted, fmt.Sprintf("%d|%s", n*k, s.token))
	}
	found := []string{}
	s.counted(func(ctx context.Context) error {
		results := s.conn.SendBatch(ctx, batch)
		for range wanted {
			rows, err := results.Query()
			if err == nil {
				var more []string
				more, err = gather(rows)
				found = append(found, more...)
			}
			if err != nil {
				results.Close()
				return err
			}
		}
		return results.Close()
	})
	s.statements += len(wanted) - 1
	same(found, wanted...)
}

func (s *storm) commit() {
	id := s.id()
	tx := s.begin()
	server := s.simply("select pg_backend_pid()")
	s.put(id)
	s.checkSeen(id, id, id)
	same(s.simply("select pg_backend_pid()"), server...)
	s.end(tx, id)
}

func (s *storm) rollback() {
	id := s.id()
	tx := s.begin()
	s.put(id)
	s.simply("set work_mem = '77kB'")
	s.simply("set app.token = 'rolled back'")
	same(s.simply("show work_mem"), "77kB")
	s.counted(tx.Rollback)
	s.checkSeen(id, id)
	s.checkOwn()
}

func (s *storm) savepoint() {
	one, two, three := s.id(), s.id(), s.id()
	tx := s.begin()
	s.put(one)
	var here pgx.Tx
	s.counted(func(ctx context.Context) (err error) {
		here, err = tx.Begin(ctx)
		return err
	})
	s.put(two)
	s.simply("set work_mem = '78kB'")
	if s.random.Intn(2) == 0 {
		s.refuses("22012", func() { s.ask("select 1 / $1::int", 0) })
	}
	s.counted(here.Rollback)
	s.put(three)
	s.checkSeen(one, three, one, three)
	s.checkOwn()
	s.end(tx, one, three)
	s.checkOwn()
}

func (s *storm) local() {
	tx := s.begin()
	s.simply("set local app.token = 'local'")
	s.simply("set local work_mem = '79kB'")
	same(s.ask("select current_setting('app.token'), current_setting($1)", "work_mem"),
		"local|79kB")
	s.end(tx)
	s.checkOwn()
}

func (s *storm) mistake() {
	s.refuses("22012", func() { s.ask("select 1 / $1::int", 0) })
	same(s.ask("select 1 / $1::int", 1), "1")
	s.refuses("42601", func() { s.simply("selec 1") })
	s.refuses("42P01", func() { s.simply("select * from no_such_table") })
	s.checkOwn()
}

func (s *storm) cursor() {
	tx := s.begin()
	s.simply("declare pages cursor for select n, current_setting('app.token')" +
		" from storm_numbers order by n")
	found, wanted := []string{}, []string{}
	for {
		page := s.simply("fetch 50 from pages")
		if len(page) == 0 {
			break
		}
		found = append(found, page...)
	}
	for n := 1; n <= numbers; n++ {
		wanted = append(wanted, fmt.Sprintf("%d|%s", n, s.token))
	}
	s.end(tx)
	same(found, wanted...)
}

func (s *storm) copy() {
	ids, rows, text := []int64{}, [][]interface{}{}, ""
	for n := 2 + s.random.Intn(28); n > 0; n-- {
		id := s.id()
		ids = append(ids, id)
		rows = append(rows, []interface{}{id, s.token})
		text += fmt.Sprintf("%d\n", id)
	}
	from, to := ids[0], ids[len(ids)-1]
	tx := s.begin()
	s.counted(func(ctx context.Context) error {
		_, err := s.conn.CopyFrom(
			ctx, pgx.Identifier{"storm"}, []string{"id", "token"}, pgx.CopyFromRows(rows))
		return err
	})
	out := bytes.Buffer{}
	s.counted(func(ctx context.Context) error {
		_, err := s.conn.PgConn().CopyTo(ctx, &out, fmt.Sprintf(
			"copy (select id from storm where id between %d and %d order by id) to stdout", from, to))
		return err
	})
	same([]string{out.String()}, text)
	s.checkSeen(from, to, ids...)
	if s.random.Intn(2) == 0 {
		s.end(tx, ids...)
	} else {
		s.counted(tx.Rollback)
		s.checkSeen(from, to)
	}
}

func (s *storm) set() {
	s.memory = fmt.Sprintf("%dkB", (65+s.random.Intn(900))*2+1)
	s.simply("set work_mem = '" + s.memory + "'")
	s.checkOwn()
}

func (s *storm) reset() {
	s.memory = "4MB"
	s.simply("reset work_mem")
	s.checkOwn()
}

func (s *storm) tokenByBoundName() {
	s.newToken()
	same(s.ask("select set_config($1, $2, false)", "app.token", s.token), s.token)
	s.checkOwn()
}

func (s *storm) lock() {
	s.ask("select pg_advisory_lock($1)::text", s.number)
	s.checkOwn()
	same(s.ask("select pg_advisory_unlock($1)", s.number), "true")
}

func (s *storm) temporary() {
	s.simply("create temp table own (token text)")
	// Not by the cache: a statement of a table that is gone stays in it.
	s.simply("insert into own (token) values ('" + s.token + "')")
	same(s.simply("select token from own"), s.token)
	s.simply("drop table own")
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
