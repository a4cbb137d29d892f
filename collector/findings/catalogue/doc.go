// Package catalogue turns the name of an attack type, in any of the spellings that ABS
// publishes, into what is known of it: its id, category, severity and meaning.
package catalogue
