"""The sections of expected state: what *should be*, in the organisation's terms; and their loader."""
