// shards.py for Go's pgx: its cache prepares every statement with parameters.
//
// Arguments: URL, seed, statements, connections.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v4"
)

const tenantsPerConnection = 5

const put = "insert into orders (tenant_id, id, note) values ($1, $2, $3)"

var ctx = context.Background()

type asker interface {
	Query(ctx context.Context, sql string, args ...interface{}) (pgx.Rows, error)
}

type shards struct {
	conn       *pgx.Conn
	random     *rand.Rand
	first, ids int64
	statements int
	rows       [tenantsPerConnection][]string
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (s *shards) row(place int) (int64, int64, string) {
	s.ids++
	s.statements++
	tenant := s.first + int64(place)
	return tenant, s.ids, fmt.Sprintf("%d:%d", tenant, s.random.Intn(1000000000))
}

func (s *shards) check(on asker, place int, wanted []string) {
	s.statements++
	sql := "select note from orders where tenant_id = $1 order by id"
	rows, err := on.Query(ctx, sql, s.first+int64(place))
	must(err)
	found := []string{}
	for rows.Next() {
		var note string
		must(rows.Scan(&note))
		found = append(found, note)
	}
	must(rows.Err())
	if strings.Join(found, " ") != strings.Join(wanted, " ") {
		panic(fmt.Sprintf("%v, not %v", found, wanted))
	}
}

// block is a transaction with a nested one that is undone.
func (s *shards) block(place int) {
	tx, err := s.conn.Begin(ctx)
	must(err)
	nested, err := tx.Begin(ctx)
	must(err)
	tenant, id, first := s.row(place)
	_, err = nested.Exec(ctx, put, tenant, id, first)
	must(err)
	must(nested.Commit(ctx))
	nested, err = tx.Begin(ctx)
	must(err)
	tenant, id, second := s.row(place)
	_, err = nested.Exec(ctx, put, tenant, id, second)
	must(err)
	must(nested.Rollback(ctx))
	now := append(append([]string{}, s.rows[place]...), first)
	s.check(tx, place, now)
	if s.random.Intn(2) == 0 {
		must(tx.Rollback(ctx))
		return
	}
	must(tx.Commit(ctx))
	s.rows[place] = now
}

// batch sends several statements before one Sync.
func (s *shards) batch(place int) {
	batch := &pgx.Batch{}
	for n := 0; n < 4; n++ {
		tenant, id, note := s.row(place)
		batch.Queue(put, tenant, id, note)
		s.rows[place] = append(s.rows[place], note)
	}
	must(s.conn.SendBatch(ctx, batch).Close())
}

func (s *shards) run(url string, wanted int) {
	var err error
	s.conn, err = pgx.Connect(ctx, url)
	must(err)
	for s.statements < wanted {
		place := s.random.Intn(tenantsPerConnection)
		switch s.random.Intn(4) {
		case 0:
			tenant, id, note := s.row(place)
			_, err = s.conn.Exec(ctx, put, tenant, id, note)
			must(err)
			s.rows[place] = append(s.rows[place], note)
		case 1:
			s.check(s.conn, place, s.rows[place])
		case 2:
			s.block(place)
		default:
			s.batch(place)
		}
	}
	must(s.conn.Close(ctx))
}

func main() {
	seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
	wanted, _ := strconv.Atoi(os.Args[3])
	count, _ := strconv.Atoi(os.Args[4])
	all := make([]*shards, count)
	var group sync.WaitGroup
	for number := range all {
		all[number] = &shards{
			random: rand.New(rand.NewSource(seed*1000 + int64(number))),
			first:  int64(1000 + number*tenantsPerConnection),
		}
		group.Add(1)
		go func(s *shards) {
			defer group.Done()
			s.run(os.Args[1], wanted/count)
		}(all[number])
	}
	group.Wait()
	statements, rows := 0, []string{"rows"}
	for _, one := range all {
		statements += one.statements
		for _, some := range one.rows {
			rows = append(rows, some...)
		}
	}
	fmt.Println("statements", statements)
	fmt.Println(strings.Join(rows, " "))
}
