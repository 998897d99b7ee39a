"""The CRM's statements, read once."""

from services.runtime.sql import load_sql

SQL = load_sql("services.crm")
