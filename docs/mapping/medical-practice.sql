-- Patients of a practice, one row each. Their guardians, rows of another table, become numbered columns.
SELECT
    p.id,
    p.first_name,
    p.last_name,
    p.date_of_birth,
    p.mobile,
    p.home_phone,
    p.email,
    p.insurance,
    p.needs_interpreter,
    p.created_at,
    d.name AS doctor,
    g.*
FROM patients AS p
LEFT JOIN doctors AS d ON d.id = p.doctor_id
LEFT JOIN LATERAL (
    SELECT
        max(name) FILTER (WHERE n = 1) AS guardian_1,
        max(relation) FILTER (WHERE n = 1) AS guardian_1_relation,
        max(phone) FILTER (WHERE n = 1) AS guardian_1_phone,
        max(email) FILTER (WHERE n = 1) AS guardian_1_email,
        max(name) FILTER (WHERE n = 2) AS guardian_2,
        max(relation) FILTER (WHERE n = 2) AS guardian_2_relation,
        max(phone) FILTER (WHERE n = 2) AS guardian_2_phone,
        max(email) FILTER (WHERE n = 2) AS guardian_2_email
    FROM (
        SELECT guardians.*, row_number() OVER (ORDER BY guardians.id) AS n
        FROM guardians
        WHERE guardians.patient_id = p.id
    ) AS numbered
) AS g ON true
WHERE p.is_active
