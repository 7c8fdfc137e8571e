package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v4"
)

// numbers is how many rows the table storm_numbers has.
const numbers = 300

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
