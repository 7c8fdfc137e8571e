"""SQLAlchemy's ORM over psycopg and over asyncpg."""

import asyncio

import pytest
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

SETTINGS = {"default_pool_size": 2}
pytestmark = pytest.mark.pgweir_or_direct


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship(back_populates="author", lazy="selectin")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture
def schema(postgres):
    """The database app with nothing of ours in it, and a schema where app may create."""
    postgres.sql("drop table if exists books, authors cascade")
    postgres.sql("grant create on schema public to app")


def people():
    return [
        Author(name=f"author {n}", books=[Book(title=f"book {n}.{m}") for m in range(3)])
        for n in range(20)
    ]


def test_orm_over_psycopg(pooler, schema):
    engine = create_engine(pooler.uri(scheme="postgresql+psycopg"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(people())
        session.commit()
    for _ in range(10):
        with Session(engine) as session:
            author = session.scalars(select(Author).where(Author.name == "author 7")).one()
            assert sorted(book.title for book in author.books) == [
                "book 7.0",
                "book 7.1",
                "book 7.2",
            ]
            assert session.scalar(select(func.count()).select_from(Book)) == 60
    Base.metadata.drop_all(engine)
    engine.dispose()


def test_orm_over_asyncpg(pooler, schema):
    async def work():
        engine = create_async_engine(pooler.uri(scheme="postgresql+asyncpg"))
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add_all(people())
            await session.commit()

        async def read(n):
            async with AsyncSession(engine) as session:
                found = await session.scalars(select(Author).where(Author.name == f"author {n}"))
                return len(found.one().books)

        assert await asyncio.gather(*(read(n) for n in range(20))) == [3] * 20
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
        await engine.dispose()

    asyncio.run(work())
