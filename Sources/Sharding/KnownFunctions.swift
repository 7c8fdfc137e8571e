/// Functions of PostgreSQL that read nothing but their arguments, the session and the catalogs.
///
/// A function that is not here may read tables, and so other keys' rows. Left out on purpose: what
/// runs queries (query_to_xml), sequences, advisory locks, set_config and large objects.
enum KnownFunctions {
    static let all: Set<String> = Set(
        (numbers + " " + texts + " " + times + " " + aggregates
            + " " + collections + " " + documents + " " + session).split(
                whereSeparator: \.isWhitespace
            ).map(String.init))

    /// Numbers.
    private static let numbers = """
        abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos
        cosd cosh cot cotd degrees div exp factorial float4 float8 floor gcd int2 int4 int8 lcm ln
        log log10 min_scale mod numeric pi pow power radians random round scale sign sin sind sinh
        sqrt tan tand tanh trim_scale trunc width_bucket
        """

    /// Texts and bytes.
    private static let texts = """
        ascii bit_count bit_length bpchar btrim char_length character_length chr concat concat_ws
        convert convert_from convert_to decode encode format get_bit get_byte hashint4 hashint8
        hashint8extended hashtext hashtextextended initcap is_normalized left length like_escape
        lower lpad ltrim md5 normalize notlike octet_length overlay parse_ident position
        quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like regexp_match
        regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
        repeat replace reverse right rpad rtrim set_bit set_byte sha224 sha256 sha384 sha512
        similar_to_escape split_part starts_with string_to_array string_to_table strpos substr
        substring text to_ascii to_hex translate unistr upper varchar
        """

    /// Dates and times.
    private static let times = """
        age clock_timestamp date date_bin date_part date_trunc extract generate_series isfinite
        justify_days justify_hours justify_interval make_date make_interval make_time
        make_timestamp make_timestamptz now overlaps pg_sleep statement_timestamp timeofday
        timestamp timestamptz timezone to_char to_date to_number to_timestamp transaction_timestamp
        """

    /// Aggregates and windows.
    private static let aggregates = """
        any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop
        covar_samp cume_dist dense_rank every first_value json_agg json_object_agg jsonb_agg
        jsonb_object_agg lag last_value lead max min mode nth_value ntile percent_rank
        percentile_cont percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy
        regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_number stddev
        stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg
        """

    /// Arrays, ranges, identifiers.
    private static let collections = """
        abbrev array_append array_cat array_dims array_fill array_length array_lower array_ndims
        array_position array_positions array_prepend array_remove array_replace array_to_string
        array_upper broadcast cardinality datemultirange daterange enum_first enum_last enum_range
        family gen_random_uuid generate_subscripts host hostmask inet_merge inet_same_family
        int4multirange int4range int8multirange int8range isempty lower_inc lower_inf masklen
        multirange netmask network num_nonnulls num_nulls nummultirange numrange range_merge
        set_masklen trim_array tsmultirange tsrange tstzmultirange tstzrange unnest upper_inc
        upper_inf
        """

    /// JSON and text search.
    private static let documents = """
        array_to_json json_array_elements json_array_elements_text json_array_length
        json_build_array json_build_object json_each json_each_text json_extract_path
        json_extract_path_text json_object json_object_keys json_populate_record
        json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_to_tsvector
        json_typeof jsonb_array_elements jsonb_array_elements_text jsonb_array_length
        jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
        jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists
        jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query
        jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
        jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
        jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
        jsonb_to_record jsonb_to_recordset jsonb_to_tsvector jsonb_typeof numnode phraseto_tsquery
        plainto_tsquery querytree row_to_json setweight strip to_json to_jsonb to_tsquery
        to_tsvector ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsquery_phrase
        tsvector_to_array websearch_to_tsquery
        """

    /// The session and the catalogs.
    private static let session = """
        aclexplode col_description current_catalog current_database current_query current_schema
        current_schemas current_setting current_user format_type getdatabaseencoding
        has_any_column_privilege has_column_privilege has_database_privilege has_function_privilege
        has_schema_privilege has_sequence_privilege has_table_privilege has_type_privilege
        inet_client_addr inet_client_port inet_server_addr inet_server_port obj_description
        pg_backend_pid pg_char_to_encoding pg_client_encoding pg_conf_load_time pg_encoding_to_char
        pg_function_is_visible pg_get_constraintdef pg_get_expr pg_get_function_arguments
        pg_get_function_identity_arguments pg_get_function_result pg_get_functiondef
        pg_get_indexdef pg_get_keywords pg_get_partition_constraintdef pg_get_partkeydef
        pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef_columns pg_get_triggerdef
        pg_get_userbyid pg_get_viewdef pg_is_in_recovery pg_opclass_is_visible
        pg_operator_is_visible pg_options_to_table pg_partition_ancestors pg_partition_root
        pg_postmaster_start_time pg_relation_is_publishable pg_table_is_visible pg_type_is_visible
        pg_typeof session_user shobj_description to_regclass to_regnamespace to_regproc
        to_regprocedure to_regrole to_regtype txid_current_if_assigned version
        """
}
