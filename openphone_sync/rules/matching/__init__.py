"""Who is who: which remote contact each wanted contact meets, on what evidence."""
