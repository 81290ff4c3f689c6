package world

// name is a name as people write it and the spelling that their mail address uses.
type name struct{ text, ascii string }

var givenNames = []name{
	{"Anna", "anna"}, {"Ben", "ben"}, {"Chloé", "chloe"}, {"David", "david"}, {"Ewa", "ewa"}, {"Fatima", "fatima"},
	{"George", "george"}, {"Hélène", "helene"}, {"Ivan", "ivan"}, {"Jürgen", "juergen"}, {"Katarzyna", "katarzyna"},
	{"Liam", "liam"}, {"María", "maria"}, {"Noah", "noah"}, {"Olga", "olga"}, {"Pétur", "petur"}, {"Quentin", "quentin"},
	{"Ravi", "ravi"}, {"Søren", "soeren"}, {"Thảo", "thao"}, {"Ursula", "ursula"}, {"Václav", "vaclav"}, {"Wei", "wei"},
	{"Xenia", "xenia"}, {"Yūki", "yuki"}, {"Zoë", "zoe"}, {"Łukasz", "lukasz"}, {"Σοφία", "sofia"}, {"Дмитрий", "dmitri"},
	{"Aoife", "aoife"}, {"Björn", "bjoern"}, {"Carlos", "carlos"}, {"Dunja", "dunja"}, {"Emily", "emily"}, {"François", "francois"},
	{"Grace", "grace"}, {"Hassan", "hassan"},
}

var surnames = []name{
	{"Smith", "smith"}, {"Müller", "mueller"}, {"García", "garcia"}, {"O'Brien", "obrien"}, {"Nowak", "nowak"},
	{"Rossi", "rossi"}, {"Sørensen", "soerensen"}, {"Dubois", "dubois"}, {"Kowalczyk", "kowalczyk"}, {"Yılmaz", "yilmaz"},
	{"Nguyễn", "nguyen"}, {"李", "li"}, {"Иванова", "ivanova"}, {"van der Berg", "vanderberg"}, {"Håkansson", "hakansson"},
	{"Patel", "patel"}, {"Jones", "jones"}, {"Fernández", "fernandez"}, {"Weiß", "weiss"}, {"Novák", "novak"},
	{"Papadopoulos", "papadopoulos"}, {"Silva", "silva"}, {"佐藤", "sato"}, {"Björnsdóttir", "bjoernsdottir"}, {"Brown", "brown"},
	{"Ionescu", "ionescu"}, {"Horvat", "horvat"}, {"Kim", "kim"}, {"Okafor", "okafor"}, {"Szabó", "szabo"}, {"Lefèvre", "lefevre"},
	{"Taylor", "taylor"}, {"Wagner", "wagner"}, {"Åberg", "aaberg"}, {"De Luca", "deluca"}, {"Haddad", "haddad"}, {"Cohen", "cohen"},
	{"Singh", "singh"}, {"Murphy", "murphy"}, {"Çelik", "celik"}, {"Johansson", "johansson"},
}

var departments = []string{
	"Sales", "Finance", "Operations", "IT", "Human Resources", "Marketing", "Warehouse", "Kitchen", "Legal", "Research & Development",
}

var jobTitles = []string{"Manager", "Specialist", "Assistant", "Engineer", "Analyst", "Lead", "Director"}
