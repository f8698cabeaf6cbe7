"""Words of names as data: what stands beside a name, what an office notes behind it, and given names with their gender.

All folded (`names.fold`). Given names: the most common of the US census of 1990 (public domain), and later ones.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- beside a name ------------------------------------------------------------------------------------------------------

SUFFIXES = {
    **dict.fromkeys(("sr", "senior"), "sr"),
    **dict.fromkeys(("jr", "jnr", "junior", "ii", "2nd"), "jr"),  # a second is called Junior as often as not
    **dict.fromkeys(("iii", "3rd"), "iii"),
    **dict.fromkeys(("iv", "4th"), "iv"),
}
MENS_TITLES = _words("mr sir senor sr")
WOMENS_TITLES = _words("mrs ms miss sra srta senora")
NEUTRAL_TITLES = _words("mx dr prof md phd")
ROLE_TITLES = _words("atty attorney hon judge rev esq")
"""An attorney's or a judge's contact is not the client's, even under the client's name."""
TITLES = (MENS_TITLES | WOMENS_TITLES | NEUTRAL_TITLES | ROLE_TITLES) - {"sr"}
"""Not "sr": that is a title before the name only, and "Senior" behind it."""

PARTICLES = _words(
    """
    de del dela la las los le van von vander vanden der den ter ten di da do dos das du el al bin bint ibn ben st
    """
)
PURE_PARTICLES = _words("de del dela der den von vander vanden dos das")
"""Particles that are not given names either, so that one at the start is a particle too ("De La Cruz")."""

COMPANY = _words("llc llp lp pllc pc inc corp corporation incorporated ltd limited co company plc gmbh sa")

BESIDE = TITLES.union(SUFFIXES, PARTICLES, PURE_PARTICLES, COMPANY)
"""All of these: a name without them is read as it stands."""

# --- an office's notes --------------------------------------------------------------------------------------------------
#
# Only what says nothing about *whose* contact it is. Every other word beside a name may mean somebody else (wife,
# attorney, landlord, wrong, old), so it is enough to list the harmless ones: a word that is missing costs a question.

PHONE_NOTES = _words(
    """
    cell cellphone cellular mobile phone ph tel telephone number no1 iphone android whatsapp text txt texts sms signal fax
    direct personal primary main voicemail vm
    """
)
"""Words for the phone: "James's cell" is James's."""

NOTES = PHONE_NOTES | _words(
    """
    home work office
    new client clients cl potential prospective prospect lead leads intake caller consult consultation pnc vip urgent
    important active inactive closed open pending current returning repeat walkin
    case cases matter file claim lawsuit court hearing trial arraignment plea appeal sentencing pretrial mediation
    settlement deposition depo warrant charge charges violation vop record modification mod
    custody divorce paternity prenup adoption guardianship probate bankruptcy bk immigration visa asylum daca greencard
    criminal crim civil felony misdemeanor misd dui dwi owi dv tro dvro assault theft drugs expungement expunge
    injury pi accident mva wc comp workers disability ssi ssdi eviction lease contract traffic ticket speeding cv cr
    call calls callback back wants needs appt appointment meeting zoom only after before prefers speaks speaker
    spanish espanol chinese mandarin cantonese korean vietnamese tagalog armenian russian farsi arabic
    paid unpaid owes owing balance due retainer pays late deposit invoice pif probono
    referred referral google yelp avvo website web
    mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday sun sunday
    am pm feb february mar march jul july aug sept september oct october nov november dec december today tomorrow
    """
)

OTHER_WORDS = _words(
    """
    wrong old not never spam scam fake blocked dead former ignore
    wife husband spouse mother mom mama father dad papa parents brother sister son sons daughter kids family twins baby
    cousin aunt uncle tia tio grandma grandpa friend neighbor boss house estate victim witness judge lawyer counsel officer
    guardian landlord jail bail bond church school
    """
)
"""Words of notes that speak of somebody else. None of them needs to be known to be held; but none is a name mistyped."""

NAMELESS = _words(
    "new client potential prospective prospect lead intake caller unknown wireless customer unnamed noname"
)
"""A contact of nothing but these has no name: "New client", "Unknown caller"."""

JOINT = _words("and und or y")
"""Between two people: "James & Mary Smith", "Maria y Jose"."""

WARNING_SIGNS = frozenset("🚫⛔❌🛑📵☠💀")

# --- given names --------------------------------------------------------------------------------------------------------

MORE_NICKNAMES = """
jose pepe chepe; francisco paco pancho; jesus chuy chucho; guillermo memo; alberto beto; roberto beto; gilberto beto;
ignacio nacho; enrique quique kike; eduardo lalo; antonio tono; fernando nando; rafael rafa; manuel manny manolo;
guadalupe lupe lupita; rosario chayo charo; consuelo chelo; concepcion concha; dolores lola; teresa tere; isabel chabela;
graciela chela; mercedes meche; alicia licha; veronica vero; gabriela gaby gabi; alejandra ale; alejandro ale;
juan juanito; carlos carlitos; miguel mike; jorge george; salvador chava; santiago santi; vicente chente; barbara barb;
stephanie steph; catherine cat; stephen steven; steven stephen; catherine katherine kathryn katharine; sarah sara; eric erik;
brian bryan; jeffrey geoffrey; philip phillip; alan allen allan; ann anne; teresa theresa; deborah debra; jon john;
sean shawn shaun
"""
"""What the package ``nicknames`` lacks: Spanish short forms and spellings that are heard, not read."""

SHORT_FOR_BOTH = _words(
    """
    alex alexi ali andi andy ash bobbie cam cary charley charlie chris clem dana dani danni dee fran frankie gabby gabi
    gerry jackie jamie jan jess jessie jo jody kris lee lou lindy marty max mel mickey nat nicki nicky nico niki ollie
    pat robbie robin ronnie sam sammy sandy sasha stevie terry theo val vic
    """
)
"""Short forms of men's and of women's names: Alex Smith on Alexandra's phone may be her brother."""

MEN = _words(
    """
    aaron abdul abe abel abraham abram adalberto adam adan adolfo adolph adrian agustin ahmad ahmed aidan aiden al
    alan albert alberto alden aldo alec alejandro alex alexander alfonso alfonzo alfred alfredo allan allen alonso
    alonzo alphonse alphonso alton alvaro alvin amado ambrose amir amos anderson andre andreas andres andrew andy
    angelo anibal anthony antione antoine anton antone antonio antony antwan archie arden arjun arlen arlie armand
    armando arnold arnoldo arnulfo aron arron art arthur arturo asa august augustus aurelio austin axel ayden barney
    barrett barry bart barton basil beau ben benedict benito benjamin bennett benny bentley benton bernard bernardo
    bert bertram bill billy blaine blake bo bob bobby booker boris boyce boyd brad braden bradford bradley bradly
    brady brain branden brandon brant brayan brayden braylon brendan brendon brent brenton bret brett brian brice
    brock broderick brody brooks bruce bruno bryan bryant bryce bryon buck bud buddy buford burl burt burton buster
    byron caleb calvin carl carlo carlos carlton carmelo carmine carson carter cayden cecil cedric cedrick cesar chad
    chadwick chance charles charley charlie chas chase chauncey chester chet chris christian christoper christopher
    chuck clarence clark claud claude claudio clay clayton clement clemente cletus cleveland cliff clifford clifton
    clint clinton clyde cody colby cole coleman colin collin colton columbus conner connor conrad cooper cordell corey
    cornelius cornell cortez cory coy craig cristian cristobal cristopher curt curtis cyril cyrus dale dallas dalton
    damian damien damion damon dan dane danial daniel danilo danny dante darell daren darin dario darius darnell daron
    darrel darrell darren darrick darrin darron darryl darwin daryl dave david davis davon dean deandre deangelo del
    delbert delmar delmer demarcus demetrius denis dennis denny denver derek derick derrick deshawn desmond devin
    devonte dewayne dewey dewitt dexter dick diego dillon dino dion dirk domenic domingo dominic dominick don donald
    donn donnell donnie donny donovan donte dorsey doug douglas douglass doyle drew duane dudley duncan dustin dwain
    dwayne dwight dylan earl earle earnest easton ed eddie eddy edgar edgardo edison edmond edmund edmundo eduardo
    edward edwardo edwin efrain efren elbert elden eldon eldridge eli elias elijah eliseo elliot elliott ellis
    ellsworth elmer elmo eloy elroy elton elvin elvis elwood emanuel emerson emery emil emile emiliano emilio emmanuel
    emmett emmitt emory enoch enrique erasmo eric erich erick erik ernest ernesto ernie errol ervin erwin esteban
    ethan eugene eugenio eusebio evan everett everette ezekiel ezequiel ezra fabian faustino fausto federico felipe
    felix felton ferdinand fermin fernando fidel filiberto fletcher florencio florentino floyd forest forrest foster
    francesco francisco frank franklin franklyn fred freddie freddy frederic frederick fredric fredrick freeman fritz
    gabriel gael gage galen garfield garland garret garrett garry garth gary gaston gavin gaylord genaro gene geoffrey
    george gerald geraldo gerard gerardo german gil gilbert gilberto gino giovanni giuseppe glen glenn gonzalo gordon
    grady graham graig grant granville grayson greg gregg gregorio gregory grover guillermo gus gustavo guy hai hal
    hank hans harlan harland harley harold harris harrison harry harvey hassan haywood heath hector henry herb herbert
    heriberto herman herschel hershel hilario hilton hipolito hiram hobert homer horace horacio hosea houston howard
    hoyt hubert hudson huey hugh hugo humberto hung hunter hussein hyman ian ibrahim ignacio ike ira irvin irving
    irwin isaac isaiah isaias isiah isidro ismael israel isreal issac ivan jace jacinto jack jackson jacob jacques
    jaden jake jalen jamaal jamal jamar jame jamel james jamison jared jarod jarred jarrett jarrod jarvis jason jasper
    javier jaxon jaxson jay jayce jayceon jayden jaylen jaylon jayson jc jed jeff jefferey jefferson jeffery jeffrey
    jeffry jerald jeramy jere jeremiah jeremy jermaine jerold jerome jeromy jerrell jerrod jerrold jerry jess jesse
    jesus jim jimmy joaquin joe joel joesph joey john johnathan johnathon johnny johnson jon jonah jonas jonathan
    jonathon jordon jorge jose josef joseph josh joshua josiah jospeh josue juan judson jules julian julio julius
    junior justin kaden kaiden kaleb kareem karl kayden keenan keith kelvin ken kendrick keneth kenneth kennith kenny
    kent kenton kermit keven kevin khalil kieth king kip kirk korey kory kraig kristofer kristopher kurt kurtis kylan
    kyle kyson lamar lamont lance landon lanny larry laurence lawerence lawrence lazaro leandro leif leland lemuel len
    lenard lenny leo leon leonard leonardo leonel leopoldo leroy les lester levi lewis liam lincoln lino linwood
    lionel lloyd logan lon long lonnie lonny loren lorenzo louie louis lowell loyd lucas luciano lucien lucio lucius
    luigi luis luke luther lyle lyman lyndon lynwood mac mack major malachi malcolm malcom malik manual manuel marc
    marcel marcelino marcellus marcelo marco marcos marcus margarito mariano mario mark markus marlin marlon marquis
    marshall martin marvin mason mateo mathew matt matteo matthew maurice mauricio mauro max maximiliano maximo
    maxwell maynard mckinley mel melvin merlin merrill mervin micah michael michale micheal miguel mike mikel milan
    miles milford millard milo milton miquel mitch mitchel mitchell modesto mohamed mohammad mohammed moises monroe
    monte monty morris morton mose moses moshe murray myles myron napoleon nathan nathanael nathanial nathaniel neal
    ned neil nelson nestor neville newton nicholas nick nickolas nicolas nigel noah noble noe nolan norbert norberto
    norman normand norris octavio odis olen olin oliver omar omer oren orlando orval orville oscar osvaldo oswaldo
    otis otto owen pablo palmer parker pasquale patrick paul pedro percy perry pete peter phil philip phillip pierre
    porfirio porter preston prince quentin quincy quintin quinton rafael raiden raj raleigh ralph ramiro ramon randal
    randall randell randolph randy raphael rashad raul ray rayford raymon raymond raymundo reed reggie reginald reid
    reinaldo renaldo renato reuben rex rey reyes reynaldo rhett ricardo rich richard richie rick rickey rickie ricky
    rico rigoberto rob robby robert roberto robt rocco rocky rod roderick rodger rodney rodolfo rodrick rodrigo
    rogelio roger roland rolando rolf rolland roman romeo ron ronald ronnie ronny roosevelt rory roscoe rosendo ross
    roy royal royce ruben rubin rudolf rudolph rudy rueben rufus rupert russ russel russell rusty ryan rylan ryland
    sal salvador salvatore sam sammy samual samuel sanford santiago santo saul scot scott scottie scotty sean
    sebastian sergio seth seymour shad shane shaun shawn sheldon shelton sherman sherwood shon sid sidney silas simon
    solomon sonny spencer stan stanford stanley stanton stefan stephan stephen sterling steve steven stewart stuart
    sylvester tad tanner tariq ted teddy teodoro terence terrance terrell terrence tevin thad thaddeus theodore theron
    thiago thomas thurman tim timmy timothy titus tobias tod todd tom tomas tommy toney tony travis tre trent trenton
    trevon trevor trey troy truman tuan ty tyler tyree tyrell tyrese tyron tyrone tyson ulises ulysses uriel valentin
    van vance vaughn vern vernon vicente victor vince vincent vincenzo virgil virgilio vito von wade waldo walker
    wallace wally walter walton ward warner warren waylon wayne weldon wendell werner wes wesley weston wilber wilbert
    wilbur wilburn wiley wilford wilfred wilfredo will willard william williams willian willis willy wilmer wilson
    wilton winford winfred winston wm woodrow wyatt xavier yusuf zachariah zachary zachery zack zackary zaiden zane
    zayden
    """
)
WOMEN = _words(
    """
    aaliyah abbey abbie abby abigail ada adalyn adalynn addie addison adela adelaida adelaide adele adelia adelina
    adeline adell adella adelle adina adria adriana adriane adrianna adrianne adrienne afton agatha agnes agustina
    aida aileen aimee aisha aja akiko alaina alana alanna alba alberta albertha albertina albertine albina alda alecia
    alejandra alejandrina alena alene alesha alesia aleta aletha alethea alethia alexa alexandra alexandria alexia
    alexus alfreda alia alica alice alicia alida alina aline alisa alisha alison alissa aliyah allene allie allison
    allyson alma almeda alondra alpha alta altagracia altha althea alvina alyce alycia alysha alysia alyson alyssa
    amada amalia amanda amber amelia america ami amie amina amiyah amparo amy ana anabel anahi anastacia anastasia
    andra andrea andree andria anette angela angelia angelica angelika angelina angeline angelique angelita angella
    angie anglea anh anika anissa anita anitra aniyah anjanette ann anna annabel annabell annabelle annamarie anne
    anneliese annemarie annetta annette annie annis annmarie antionette antoinette antonette antonia antonina anya
    april araceli aracely arcelia ardella ardis ardith aretha ariana arianna arielle arleen arlene arletta arlette
    arline armida arnetta artie asha ashely ashlee ashleigh ashley ashli ashlie ashly ashton asia astrid asuncion
    athena audra audrea audrey audry augusta augustina aura aurea aurelia aurora autumn ava avelina avis awilda ayana
    ayanna ayesha babara babette bailey bambi barb barbara barbie barbra bea beatrice beatriz beckie becky belen belia
    belinda bella belle belva benita berenice bernadette bernadine bernetta bernice berniece bernita berta bertha
    bertie beryl bess bessie beth bethany bethel betsy bette bettie bettina betty bettye beulah beverlee beverley
    beverly bianca billye birdie birgit blanca blanch blanche bobbi bobbie bobbye bonita bonnie bonny brandee brandi
    brandie brandy braylen breanna breanne bree brenda brenna briana brianna brianne bridget bridgett bridgette
    brigette brigid brigitte britany britney britni brittani brittany brittney brittni brook brooke brooklyn brunilda
    buffy cadence caitlin caitlyn callie camelia cami camila camilla camille cammie candace candance candelaria candi
    candice candida candie candis candy caprice cara caren cari caridad carie carin carina carissa carla carleen
    carlene carletta carline carlota carlotta carly carlyn carma carman carmel carmela carmelita carmella carmen carol
    carolann carole carolee carolina caroline carolyn carolyne carolynn caron carri carrie caryl caryn casandra casie
    cassandra cassidy cassie catalina catharine catherine cathi cathie cathleen cathrine cathryn cathy catina catrina
    cecelia cecila cecile cecilia cecily celeste celestina celestine celia celina celine chana chanda chandra chanel
    chantal chantel chantelle charissa charisse charity charla charleen charlene charlette charline charlotte
    charmaine charolette chasity chastity chaya chelsea chelsey chelsie cheri cherie cherise cherly cherri cherrie
    cherry cheryl cheryle cheyenne chin chiquita chloe chrissy christa christal christel christen christene christi
    christiana christiane christie christin christina christine christy chrystal chun ciara ciera cierra cinda cindi
    cindy cinthia citlali claire clara clare claribel clarice clarissa claudette claudia claudine clementina
    clementine cleta clotilde coleen colette colleen collette concepcion concetta conchita connie constance consuela
    consuelo cora coral corazon cordelia coreen corene coretta cori corina corine corinna corinne corliss cornelia
    corrie corrina corrine cortney crista cristal cristi cristin cristina cristine cristy crystal cyndi cynthia cythia
    dahlia daisey daisy dalia dalila damaris danelle danette dani dania danica daniela daniele daniella danielle
    danita danna dannielle danyelle daphine daphne dara darci darcie darcy daria darla darleen darlene darline davida
    davina dawn dawna dayle dayna deana deann deanna deanne deb debbi debbie debbra debby debi debora deborah debra
    debrah debroah dedra deeann deena deidra deidre deirdre deja delana delaney delfina delia delilah delinda delisa
    dell della delma delois delora delores deloris delphia delphine delta demetra demetria dena deneen denice denise
    denita denna dennise desirae desiree dessie destiny devona diamond dian diana diane diann dianna dianne digna dina
    dinah dionne dixie dollie dolly dolores domenica dominga dominque dona donita donna dora dorcas doreen dorene
    doretha dori dorinda dorine doris dorotha dorothea dorothy dorris dortha dorthea dorthy dot dottie dovie drucilla
    dulce earlean earlene earline earnestine eartha easter eboni ebony eda edelmira eden edie edith edna edwina edythe
    effie eileen elaina elaine elana elayne elba elda eldora eleanor eleanora eleanore elease elena elenor elenora
    elfriede elia eliana elicia elida elinor elisa elisabeth elise elissa eliza elizabeth elizbeth elizebeth ella
    ellen ellie ellyn elma elmira elna elnora elodia eloisa eloise elouise elsa else elsie elva elvera elvia elvira
    elyse ema emelia emersyn emilee emilia emilie emily emma emmie emmy emogene ena enedina eneida enid enola
    enriqueta era erica ericka erika erin erlene erlinda erma erna ernestina ernestine esmeralda esperanza essie esta
    estefania estela estell estella estelle ester esther estrella ethel ethelyn ethyl etta eugenia eugenie eula
    eulalia eun eunice eva evalyn evangelina evangeline eve evelia evelina eveline evelyn evelyne everleigh evette
    evie evon evonne fabiola faith fallon fannie fanny farah farrah fatima faustina fawn fay faye felecia felica
    felice felicia felicita felicitas felipa felisa felisha fern fernanda ferne filomena fiona flavia flo flor flora
    florance florence florencia florene florentina florida florinda florine flossie floy fonda fran france frances
    francesca francine francisca freda frederica fredia freeda freida frieda gabriela gabriele gabriella gabrielle
    gail garnet garnett gay gaye gayla gayle gaynell gemma gena genesis geneva genevieve genoveva georgene georgetta
    georgette georgia georgiana georgianna georgie georgina geraldine geralyn gerda geri germaine gerri gertie gertrud
    gertrude gia gigi gilda gillian gina ginger ginny giovanna gisela gisele giselle gladis glady gladys glenda
    glendora glenna glennis glinda gloria glory golda goldie grace gracia gracie graciela gregoria greta gretchen
    gretta griselda guillermina gussie gwen gwendolyn ha hae hailey haleigh haley halina hallie hana hanna hannah
    hannelore harmony harper harriet harriett harriette hattie haydee hayleigh hayley hazel heather hedwig heide heidi
    helen helena helene helga hellen henrietta henriette herlinda hermelinda hermine herminia hester hettie hilary
    hilda hildegard hillary hilma hiroko hoa holley holli hollie holly hope hortencia hortense hortensia hui hulda
    huong hyun ida idalia idell idella iesha ignacia ila ileana ilene iliana ilona ilse ima imani imelda imogene in
    ina india indira ines inez inga inge ingeborg inger ingrid iola iona ione irena irene iris irma irmgard isabel
    isabell isabella isabelle isela itzel iva ivette ivonne ivy jacalyn jacinta jackeline jacki jacklyn jaclyn jacque
    jacquelin jacqueline jacquelyn jacquline jacqulyn jada jade jaelyn jaelynn jaimie jaliyah jami jamila jammie jana
    janae jane janeen janel janell janelle janene janessa janet janeth janett janetta janette janey janice janie
    janina janine janis janiyah janna jannette jannie jaqueline jasmin jasmine jaunita jaylin jaylynn jayme jayne
    jazlyn jazlynn jazmin jazmine jean jeana jeane jeanetta jeanette jeanie jeanine jeanna jeanne jeannette jeannie
    jeannine jena jenell jenelle jenette jeni jenifer jeniffer jenise jenna jennefer jennette jenni jennie jennifer
    jenniffer jenny jeraldine jeri jerilyn jerri jerrie jesenia jesica jessi jessica jettie jewel jill jillian jimena
    jin jina jo joan joana joanie joann joanna joanne jocelyn jodee jodi jodie joelle joellen joetta johanna johnetta
    johnna joi joleen jolene jolie jolynn jonell jonelle joni jonna jonnie josefa josefina joselyn josephina josephine
    josette josie joslyn jovita joy joyce joycelyn joye juana juanita judi judie judith judy juli julia juliana
    juliann julianna julianne julie juliet julieta juliette julissa june jung justina justine jutta kacey kaci kacie
    kaila kailyn kaitlin kaitlyn kala kali kaliyah kami kamila kandace kandi kandice kandy kara karan karen karey kari
    karie karin karina karissa karla karlene karol karolyn karon karren karri karrie karyn kasandra kassandra kassie
    kate katelyn kathaleen katharina katharine katherin katherine kathern katheryn kathi kathie kathleen kathlene
    kathlyn kathrine kathryn kathryne kathy kathyrn kati katie katina katrina kattie katy kay kaye kayla kaylee
    kayleigh kaylen kaylene kaylin kazuko kecia keely keesha keiko keira keisha keli kellee kelley kelli kellie kellye
    kelsey kelsie kendra kenisha kenna kennedy kenya kenyatta kenyetta keri kerri kerrie kesha keshia kia kiana kiara
    kiera kierra kiesha kiley kim kimber kimberely kimberlee kimberley kimberli kimberly kindra kira kirsten kirstin
    kisha kitty kizzy kori kourtney krista kristal kristan kristen kristi kristian kristie kristin kristina kristine
    kristy kristyn krystal krystle krystyna kum kyla kylee kyleigh kylie kyong kyra kyung lacey laci lacie ladonna
    lady lai laila lakeisha lakesha lakeshia lakisha lan lana lanette lani lanita laquita lara larae larhonda larisa
    larissa larue lashanda lashawn lashonda lashunda latanya latasha laticia latisha latonia latonya latoria latosha
    latoya latrice latricia latrina laura laureen laurel lauren laurene lauretta laurette lauri laurie lavada laverna
    lavina lavinia lavon lavonda lavonne lawana lawanda layla lea leah leana leandra leann leanna leanne leatha
    leatrice leda leeann leesa leigh leila leilani leisa lela lelia lena lenna lennie lenora lenore leola leona
    leonarda leone leonor leonora leora leota lera lesa lesia leslee lesli lessie leta letha leticia letitia lettie
    letty li lia liana liane libby lida lidia lien ligia lila lilia lilian liliana lilla lillian lillie lilly lily lin
    lina linda lindsay lindsey lindy linette linh linnea linnie linsey lisa lise lisette lissa lissette lita liz liza
    lizabeth lizbeth lizette lizzie loan lois lola lolita lona loni lonna lora loraine loree loreen lorelei lorena
    lorene lorenza loretta lori lorie lorinda lorine lorna lorraine lorretta lorri lorrie lottie louann louella louisa
    louise lourdes louvenia lovie loyce lu luana luann luanne lucia luciana lucie lucienne lucila lucile lucille
    lucina lucinda lucrecia lucretia lucy lue luella luisa lula lulu luna lupita lura lurline luvenia luz lyda lydia
    lyla lyn lynda lyndsay lyndsey lynette lynne lynnette ma mabel mable machelle macie mackenzie madaline madalyn
    madeleine madeline madelyn madge madie madilyn madison madonna mae maegan magaly magda magdalena magdalene maggie
    magnolia mai maida maira majorie makayla malia malika malinda malisa malissa maliyah mallory mamie mammie manda
    mandi mandy manuela mara maranda marcela marcelina marcella marcelle marci marcia marcie marcy maren margaret
    margarete margarett margarette margarita margarite marge margeret margery margie margit margo margot margret
    marguerite margurite mari maria mariah mariam marian mariana mariann marianna marianne maribel maribeth maricela
    marie mariel mariela marietta marilee marilou marilyn marilynn marina marisa marisela marisol marissa marita
    maritza mariyah marjorie marjory marla marleen marlena marlene marlo marlyn marlys marna marni marnie marquerite
    marquita marry marsha marta martha marti martina martine marva marvel mary maryann maryanne marybeth maryellen
    maryjane maryjo marylee marylin marylou marylyn masako mathilda matilda matilde mattie maud maude maudie maura
    maureen maurine mavis maxie maxine may maya maybelle mayme mayra mazie mckenna mckenzie meagan meaghan mechelle
    mee meg megan meghan meghann mei melanie melba melina melinda melisa melissa mellisa mellissa melodie melody
    melonie melony melva melvina mercedes mercy meredith merilyn merlene merri merry meryl meta mi mia micaela
    michaela michele michell michelle michiko micki mickie migdalia mikaela mikayla mikki mila milagros mildred
    milissa millicent millie mimi min mina mindi mindy minerva minnie mira miranda mireya miriam mirian mirna mirta
    missy misti misty mittie mitzi miyah modesta moira mollie molly mona monica monika monique monserrat mozell
    mozelle mui muriel my myla myong myra myriam myrna myrtice myrtie myrtis myrtle nada nadia nadine nakia nakisha
    nakita nan nanci nancy nanette nannette nannie naoma naomi natalia natalie natasha nathalie natividad natosha
    nayeli nedra nelda nelia nelida nell nella nelle nellie nena neoma nereida neta nettie neva nevaeh nga ngoc nia
    nichelle nichol nichole nicki nickie nicola nicolasa nicole nicolette nicolle nidia nieves niki nikia nikita nikki
    nikole nila nilda nilsa nina ninfa nita noelia noella noelle noemi nola nona nora norah noreen norene norine norma
    nova novella nydia nyla ocie octavia odessa odette ofelia ok ola oleta olga oliva olive olivia olympia oma ona
    oneida opal ophelia ora oralia orpha ossie otilia ouida page paige palma pam pamala pamela pamelia pamella pansy
    paola particia patience patrica patrice patricia patrina patsy patti pattie patty paula pauletta paulette paulina
    pauline pearl pearle pearlie pearline peggie peggy penelope pennie penny perla petra phillis philomena phoebe
    phuong phylis phyliss phyllis pia pilar pinkie piper polly portia precious pricilla princess priscilla prudence
    queen queenie quiana rachael racheal rachel rachele rachell rachelle racquel rae rafaela raina ramona ramonita
    rana randa randi raquel rashida raven rayna reagan reba rebbeca rebbecca rebeca rebecca rebekah regan regena
    regina reina rena renae renata renate renea renee renita reta retha retta reva reyna rhea rhiannon rhoda rhonda
    richelle rikki rina risa rita robbin roberta robin robyn rochelle rocio rolanda roma romana romelia romona rona
    ronda roni ronna ronni rosa rosalba rosalee rosalia rosalie rosalina rosalind rosalinda rosaline rosalva rosalyn
    rosamond rosanna rosanne rosaria rosaura rose roseann roseanna roseanne rosella roselyn rosemarie rosemary rosetta
    rosie rosina rosita roslyn rowena roxana roxane roxann roxanna roxanne roxie rubie ruby rubye rufina ruth ruthann
    ruthie ryleigh sabina sabine sabra sabrina sachiko sade sadie salena salina sallie sally salome samantha samara
    samatha samiyah sandi sandra sandy saniyah sanjuana sanjuanita santa santana sara sarah sari sarina sarita sasha
    saundra savannah scarlett selena selene selina selma serena serenity serina sha shaina shakira shalonda shameka
    shamika shana shanda shandra shaneka shanell shani shania shanice shanika shaniqua shanita shanna shannan shanon
    shanta shante shantel shantell shara sharee sharen shari sharita sharla sharlene sharon sharonda sharron sharyn
    shasta shauna shavon shawanda shawna shawnda shawnee shay shayla shayna shea sheena sheila shelba shelia shelley
    shelli shellie shelly shena sheree sheri sherie sherilyn sherita sheron sherrell sherri sherrie sherrill sherron
    sherry sherryl sheryl shiela shirlee shirlene shirley shirly shona shonda shonna shu sibyl sierra signe sigrid
    silvia simona simone sindy siobhan skye socorro sofia soledad sommer sondra song sonia sonja sonya soo soon sophia
    sophie spring stacey staci stacia stacie stacy star starla starr stefani stefanie steffanie stella stephaine
    stephane stephani stephanie stephany stephenie stephine stormy su sudie sue suellen suk summer sunny sunshine
    susan susana susann susanna susannah susanne susie suzan suzann suzanna suzanne suzette suzie suzy sybil syble
    sylvia tabatha tabetha tabitha takisha talia taliyah tamala tamar tamara tamatha tameka tamela tamera tami tamica
    tamie tamika tamiko tammara tammi tammie tammy tamra tana tanesha tangela tania tanika tanisha taniyah tanja tanna
    tanya tara tarah tarsha taryn tasha tatiana tawana tawanda tawanna tawny tawnya teena tena tenisha tennille
    teodora tera teresa terese teresita teressa teri terra terresa terri terrie tess tessa tessie thalia thea theda
    thelma theodora theresa therese theresia thersa thomasina thresa thu thuy tia tiana tiara tierra tiesha tiffani
    tiffanie tiffany tiffiny tillie tina tisha tomasa tomeka tomika toni tonia tonie tonja tonya tori tosha toya
    tracee tracey traci tracie trena tresa tressa tressie treva tricia trina trinity trish trisha trista trudi trudie
    trudy twana twila twyla tyesha tyra una ursula vada valarie valda valencia valentina valeria valerie vallie
    valorie vanesa vanessa vannessa veda velda velia velma velva velvet vena venessa venice venita venus vera verda
    vergie verla verna vernell vernetta vernice vernie vernita verona veronica versie vesta vicenta vickey vicki
    vickie vicky victoria vida vikki vilma vina vincenza vinnie viola violet violeta violette virgie virgina virginia
    vita viva vivan vivian viviana vivien vivienne vonda vonnie wai wanda wanita wendi wendy whitney wilda wilhelmina
    willa willene willia wilma windy winifred winnie winnifred winona wynona ximena xiomara yadira yan yasmin yen
    yesenia yetta ying yoko yolanda yolande yolonda yoshiko yu yun yvette yvonne zaida zandra zelda zella zelma zena
    zenaida zenobia zina zita zoe zoila zola zona zora zoraida zula zulema zulma
    """
)
EITHER = _words(
    """
    alexis ali alva angel ariel aubrey augustine avery bennie bernie berry billie blair britt cameron camryn carey
    carrol carroll cary casey chang chi chong chung clair cleo courtney cruz dakota dana dannie dee deon devon
    dominique dong dorian dusty elisha francis frankie gale gerry guadalupe hayden hollis hong ivory jackie jae jaime
    jamey jamie jan jessie jewell jimmie jody johnie johnnie jordan jude kamryn kasey kelly kendall kerry kirby kris
    lacy lane lavern laverne lee lesley leslie lou lupe lynn man marion marty merle michal michel mickey minh morgan
    nicky noel numbers odell ollie otha paris pat peyton quinn refugio rene riley robbie rosario sammie sang santos
    shannon shayne shelby skylar sol stevie sung sydney taylor terry thanh theo toby tommie tory tracy trinidad
    tristan val valentine willie yong
    """
)
